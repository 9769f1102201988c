import type { Assessment, Evidence, Finding, Ruling, Severity, Verdict } from "./contract.ts";

/** What a finding may say beside its code, severity and message. */
export interface Details {
  /** Its share of the score. */
  points?: number;
  evidence?: Evidence[];
  /** The norm behind it, e.g. `Regulation (EU) 2024/1689, Art. 5(1)(a)`. */
  citation?: string;
}

/** One reason. Its code is stable: people filter by it, and records keep it for ever. */
export function finding(code: string, severity: Severity, message: string, details: Details = {}): Finding {
  const { points = 0, evidence = [], citation = null } = details;
  return { code, severity, message, contribution: points, evidence, citation };
}

/** An assessment whose score is the sum of what its findings contribute, held within 0 to 10. */
export function assessment(findings: Finding[], confidence: number, attributes: object = {}): Assessment {
  const sum = findings.reduce((score, finding) => score + finding.contribution, 0);
  return { score: Math.min(Math.max(sum, 0), 10), confidence, findings, attributes: JSON.stringify(attributes) };
}

/** A ruling with its reasons. */
export function ruling(verdict: Verdict, code: string, findings: Finding[] = []): Ruling {
  return { verdict, code, findings };
}

/** Nothing in the case that this rule objects to. */
export function allow(code: string): Ruling {
  return ruling("allow", code);
}
