/**
 * Runs a plugin's fixtures on your machine, without a host: the files `fixtures/*.json` beside it.
 *
 * What a fixture may say stands in the README of the Rust kit; all kits read the same files.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Finding, WireCase } from "./contract.ts";

const CASE = {
  kind: "prompt", system: null, environment: "production", jurisdictions: [], sector: null, actor: null, action: null,
  resource: null, occurred_at: "2026-01-01T00:00:00Z", rules_as_of: null, payload: {}, context: {},
};
const EXPECT = {
  score_min: null, score_max: null, verdict: null, codes: [], not_codes: [], spans: [], effects: null, failure: null,
};
const FIXTURE = { name: "", settings: {}, case: {}, risk: null, outcome: null, expect: {} };

/** A case as it crosses the boundary; what is left out has a default. Names are those of fixtures, e.g. `occurred_at`. */
export function makeCase(members: object = {}): WireCase {
  const { occurred_at, rules_as_of, payload, context, ...rest } = known(members, CASE, "case") as any;
  return {
    ...rest,
    id: "00000000-0000-7000-8000-000000000000",
    tenant: "fixtures",
    occurredAt: Date.parse(occurred_at),
    rulesAsOf: Date.parse(rules_as_of ?? occurred_at),
    payload: JSON.stringify(payload),
    context: JSON.stringify(context),
  };
}

/** Runs all fixtures of a folder; throws with every one that doesn't hold, and where there is none. */
export function check(plugin: object, folder: string): void {
  const files = readdirSync(folder).filter((file) => file.endsWith(".json")).sort();
  if (files.length === 0) throw new Error(`${folder} holds no fixtures`);
  const complaints = files.flatMap((file) => differences(plugin, join(folder, file)).map((wrong) => `${file}: ${wrong}`));
  if (complaints.length > 0) throw new Error(`fixtures that don't hold:\n${complaints.join("\n")}`);
}

function differences(plugin: any, file: string): string[] {
  const fixture = known(JSON.parse(readFileSync(file, "utf8")), FIXTURE, "fixture") as any;
  const expect = known(fixture.expect, EXPECT, "expect") as any;
  let seen: Seen;
  try {
    seen = judge(plugin, fixture);
  } catch (failure: any) {
    if (typeof failure?.tag !== "string") throw failure;
    const refused = `${failure.tag}: ${failure.val}`;
    return expect.failure !== null && refused.includes(expect.failure) ? [] : [refused];
  }
  if (expect.failure !== null) return [`expected a failure with \`${expect.failure}\`, got an answer`];
  const wrong: string[] = [];
  const codes = seen.findings.map((finding) => finding.code);
  const score = seen.score ?? NaN;
  if (expect.score_min !== null && !(score >= expect.score_min)) wrong.push(`score ${score} is below ${expect.score_min} (${codes})`);
  if (expect.score_max !== null && !(score <= expect.score_max)) wrong.push(`score ${score} is above ${expect.score_max} (${codes})`);
  if (expect.verdict !== null && expect.verdict !== seen.verdict) wrong.push(`verdict ${seen.verdict}, expected ${expect.verdict}`);
  for (const code of expect.codes) if (!codes.includes(code)) wrong.push(`no finding ${code} among ${codes}`);
  for (const code of expect.not_codes) if (codes.includes(code)) wrong.push(`unwanted finding ${code}`);
  for (const { code, pointer, text } of expect.spans) {
    const covered = coveredBy(fixture, seen.findings, code, pointer);
    if (!covered.includes(text)) wrong.push(`${code} at ${pointer} covers ${JSON.stringify(covered)}, expected ${text}`);
  }
  if (expect.effects !== null && JSON.stringify(expect.effects) !== JSON.stringify(seen.effects)) {
    wrong.push(`effects ${seen.effects}, expected ${expect.effects}`);
  }
  return wrong;
}

/** What a plugin answered, whichever its kind. */
interface Seen {
  findings: Finding[];
  score?: number;
  verdict?: string;
  effects?: string[];
}

function judge(plugin: any, fixture: any): Seen {
  const settings = JSON.stringify(fixture.settings);
  const subject = makeCase(fixture.case);
  plugin.validateSettings(settings);
  if (plugin.assess) {
    const { score, confidence, findings, attributes } = plugin.assess(settings, subject);
    if (!(score >= 0 && score <= 10 && confidence >= 0 && confidence <= 1)) throw new Error(`${score} or ${confidence} is out of range`);
    JSON.parse(attributes);
    return { score, findings };
  }
  if (plugin.rule) {
    const { verdict, code, findings } = plugin.rule(settings, subject, wired(fixture.risk ?? {}));
    // The ruling's own code counts among the codes.
    return { verdict, findings: [...findings, { code, severity: "info", message: "", contribution: 0, evidence: [] }] };
  }
  const effects = plugin.plan(settings, subject, wired(fixture.outcome));
  return { findings: [], effects: effects.map((effect: any) => effect.tag) };
}

/** Fills in what a fixture may leave out of a risk or an outcome. */
function wired(given: any): any {
  const findings = (list: any) => (list ?? []).map((one: any) => ({ contribution: 0, evidence: [], ...one }));
  const risk = (one: any) => ({
    score: 0,
    confidence: 1,
    ...one,
    opinions: (one?.opinions ?? []).map((opinion: any) => ({
      ...opinion,
      assessment: { attributes: "{}", ...opinion.assessment, findings: findings(opinion.assessment.findings) },
    })),
  });
  if (given.verdict === undefined) return risk(given);
  const judgments = (given.judgments ?? []).map((one: any) => ({
    ...one,
    ruling: { ...one.ruling, findings: findings(one.ruling.findings) },
  }));
  return { ...given, risk: risk(given.risk), judgments };
}

/** What of the payload's string at `pointer` the evidence of findings with `code` covers. */
function coveredBy(fixture: any, findings: Finding[], code: string, pointer: string): string[] {
  let value: any = fixture.case.payload;
  for (const name of pointer.split("/").slice(1)) value = value?.[name.replaceAll("~1", "/").replaceAll("~0", "~")];
  const bytes = Buffer.from(String(value), "utf8");
  return findings
    .filter((finding) => finding.code === code)
    .flatMap((finding) => finding.evidence)
    .filter((evidence) => evidence.pointer === pointer)
    .map(({ span }) => (span ? bytes.subarray(span.start, span.end).toString("utf8") : String(value)));
}

function known(given: object, defaults: object, what: string): object {
  const unknown = Object.keys(given).filter((name) => !(name in defaults));
  if (unknown.length > 0) throw new Error(`${what} has unknown members: ${unknown.join(", ")}`);
  return { ...defaults, ...given };
}
