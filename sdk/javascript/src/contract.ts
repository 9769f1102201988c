/** The contract's types (`wit/1.0.0`), as they cross the boundary. */

/** What is to be judged, with everything that may be considered in judging it. */
export interface WireCase {
  id: string;
  kind: string;
  tenant: string;
  system?: string | null;
  environment: string;
  /** ISO 3166 codes whose rules apply, and `EU`. */
  jurisdictions: string[];
  sector?: string | null;
  actor?: string | null;
  action?: string | null;
  resource?: string | null;
  /** Milliseconds since 1970, UTC. */
  occurredAt: number;
  rulesAsOf: number;
  /** JSON text. */
  payload: string;
  /** JSON text. */
  context: string;
}

export type Severity = "info" | "low" | "medium" | "high" | "critical";

/** A half-open range of bytes (UTF-8) inside a string. */
export interface Span {
  start: number;
  end: number;
}

export interface Evidence {
  /** JSON Pointer (RFC 6901) into the payload. */
  pointer: string;
  /** None: the whole value. */
  span?: Span | null;
}

/** One reason for a score or a ruling, in words that a court can read. */
export interface Finding {
  code: string;
  severity: Severity;
  message: string;
  /** This finding's share of the score, in points of the scale 0 to 10. */
  contribution: number;
  evidence: Evidence[];
  citation?: string | null;
}

export interface Assessment {
  /** 0 (none) to 10 (certain harm). */
  score: number;
  /** 0 to 1. */
  confidence: number;
  findings: Finding[];
  /** JSON text. */
  attributes: string;
}

export type Verdict = "allow" | "warn" | "review" | "block";

export interface Ruling {
  verdict: Verdict;
  code: string;
  findings: Finding[];
}

export interface Opinion {
  binding: string;
  plugin: string;
  version: string;
  weight: number;
  assessment: Assessment;
}

export interface Risk {
  score: number;
  confidence: number;
  opinions: Opinion[];
}

export interface Judgment {
  binding: string;
  plugin: string;
  version: string;
  ruling: Ruling;
}

export interface Outcome {
  verdict: Verdict;
  reason: string;
  risk: Risk;
  judgments: Judgment[];
}

/** What an action plans; the host carries it out, or not. Members named `body`, `value`, … of type json are JSON texts. */
export type Effect =
  | { tag: "alert"; val: { severity: Severity; title: string; body: string } }
  | { tag: "webhook"; val: { url: string; body: string } }
  | { tag: "adjust"; val: { target: string; key: string; value: string } }
  | { tag: "create-rule"; val: { plugin: string; settings: string; lastsSeconds: number } }
  | { tag: "disable-rule"; val: string }
  | { tag: "escalate"; val: Severity }
  | { tag: "perform"; val: { action: string; amount?: { amount: string; currency: string } | null; parameters: string } };

/** Why a plugin gives no answer. */
export interface Failure {
  tag: "invalid-settings" | "invalid-case" | "internal";
  val: string;
}
