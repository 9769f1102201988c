import { allow, complianceRule, finding, ruling } from "@assize/sdk";

export const adjudicator = complianceRule(
  (settings, subject, _risk) => {
    const findings = [];
    for (const text of subject.texts()) {
      for (const word of settings.words) {
        const start = text.value.indexOf(word);
        if (start < 0) continue;
        findings.push(finding("WORD", "high", `the word \`${word}\``, { evidence: [text.at(start, start + word.length)] }));
      }
    }
    return findings.length === 0 ? allow("NO_LISTED_WORD") : ruling("review", "LISTED_WORD", findings);
  },
  // Makes of the settings' JSON what the rule gets; what it throws refuses them when they are set.
  ({ words = [] }) => {
    if (words.includes("")) throw new Error("words: an empty word");
    return { words };
  },
);
