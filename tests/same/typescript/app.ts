/** The agent that is written in every language, in TypeScript: what it does stands in ../README.md. */
import { type Finding, assessment, finding, log, riskAgent } from "@assize/sdk";

interface Settings {
  phrases?: { phrase: string; code: string; points: number }[];
  world?: boolean;
}

const MOST_PLACES = 20;

const folded = (text: string) => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

function places(text: string, wanted: string): number[] {
  const found: number[] = [];
  for (let start = text.indexOf(wanted); start >= 0; start = text.indexOf(wanted, start + wanted.length)) found.push(start);
  return found;
}

export const assessor = riskAgent<Settings>(
  (settings, subject) => {
    // As many characters, and as many bytes.
    const texts = subject.texts().map((text) => ({ text, within: folded(text.value) }));
    const findings: Finding[] = [];
    for (const { phrase, code, points } of settings.phrases ?? []) {
      const wanted = folded(phrase);
      for (const { text, within } of texts) {
        const found = places(within, wanted);
        if (found.length === 0) continue;
        const evidence = found.slice(0, MOST_PLACES).map((start) => text.at(start, start + wanted.length));
        findings.push(finding(code, "low", `"${phrase}" stands here ${found.length} times`, { points: points * found.length, evidence }));
      }
    }
    const bytes = texts.reduce((sum, { text }) => sum + (text.at(0, text.value.length).span?.end ?? 0), 0);
    return assessment(findings, 0.75, { bytes, texts: texts.length, ...(settings.world ? world() : {}) });
  },
  (given: Settings) => {
    if (given.phrases?.some(({ phrase }) => phrase === "")) throw new Error("phrases: an empty phrase");
    return given;
  },
);

function world() {
  log.info("a line in the log");
  const now = new Date();
  return { milliseconds: now.getTime(), local: now.toString(), offset: now.getTimezoneOffset(), random: Math.random() };
}
