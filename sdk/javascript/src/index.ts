/**
 * Write an Assize plugin in TypeScript or JavaScript: one function and a manifest.
 *
 * ```ts
 * import { assessment, finding, riskAgent } from "@assize/sdk";
 *
 * export const assessor = riskAgent<{ words: string[] }>((settings, subject) => {
 *   const findings = [];
 *   for (const text of subject.texts()) {
 *     for (const word of settings.words ?? []) {
 *       const start = text.value.indexOf(word);
 *       if (start < 0) continue;
 *       const evidence = [text.at(start, start + word.length)];
 *       findings.push(finding("WORD", "low", `the word "${word}"`, { points: 2, evidence }));
 *     }
 *   }
 *   return assessment(findings, 0.9);
 * });
 * ```
 */
export * from "./answers.ts";
export { Case } from "./case.ts";
export * from "./contract.ts";
export { InvalidCase, InvalidSettings } from "./errors.ts";
export { action, complianceRule, riskAgent } from "./plugin.ts";
export { Text } from "./texts.ts";
export * as log from "./log.ts";
