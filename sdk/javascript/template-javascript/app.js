import { assessment, finding, riskAgent } from "@assize/sdk";

export const assessor = riskAgent(
  (settings, subject) => {
    const findings = [];
    for (const text of subject.texts()) {
      for (const word of settings.words) {
        const start = text.value.indexOf(word);
        if (start < 0) continue;
        const evidence = [text.at(start, start + word.length)];
        findings.push(finding("WORD", "low", `the word \`${word}\``, { points: 2, evidence }));
      }
    }
    return assessment(findings, 0.9);
  },
  // Makes of the settings' JSON what the agent gets; what it throws refuses them when they are set.
  ({ words = [] }) => {
    if (words.includes("")) throw new Error("words: an empty word");
    return { words };
  },
);
