import { Case } from "./case.ts";
import type { Assessment, Effect, Failure, Outcome, Risk, Ruling, WireCase } from "./contract.ts";
import { InvalidCase, InvalidSettings } from "./errors.ts";

/** Makes of the settings' JSON what the plugin gets; throws where it can't work with them. */
export type Made<S> = (given: any) => S;

const asTheyAre = <S>(given: any): S => given;

/** What a risk agent exports: `export const assessor = riskAgent(assess)`. */
export function riskAgent<S>(assess: (settings: S, subject: Case) => Assessment, made: Made<S> = asTheyAre) {
  return {
    validateSettings: (settings: string): void => void told(() => read(settings, made)),
    assess: (settings: string, subject: WireCase): Assessment =>
      told(() => assess(read(settings, made), new Case(subject))),
  };
}

/** What a compliance rule exports: `export const adjudicator = complianceRule(rule)`. */
export function complianceRule<S>(rule: (settings: S, subject: Case, risk: Risk) => Ruling, made: Made<S> = asTheyAre) {
  return {
    validateSettings: (settings: string): void => void told(() => read(settings, made)),
    rule: (settings: string, subject: WireCase, risk: Risk): Ruling =>
      told(() => rule(read(settings, made), new Case(subject), risk)),
  };
}

/** What an action exports: `export const planner = action(plan)`. */
export function action<S>(plan: (settings: S, subject: Case, outcome: Outcome) => Effect[], made: Made<S> = asTheyAre) {
  return {
    validateSettings: (settings: string): void => void told(() => read(settings, made)),
    plan: (settings: string, subject: WireCase, outcome: Outcome): Effect[] =>
      told(() => plan(read(settings, made), new Case(subject), outcome)),
  };
}

function read<S>(settings: string, made: Made<S>): S {
  try {
    return made(JSON.parse(settings));
  } catch (error) {
    throw new InvalidSettings(error instanceof Error ? error.message : String(error));
  }
}

/** Turns an exception into the contract's failure, which names it, rather than a trap, which doesn't. */
function told<T>(answer: () => T): T {
  try {
    return answer();
  } catch (error) {
    throw failure(error);
  }
}

function failure(error: unknown): Failure {
  if (error instanceof InvalidSettings) return { tag: "invalid-settings", val: error.message };
  if (error instanceof InvalidCase) return { tag: "invalid-case", val: error.message };
  return { tag: "internal", val: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
}
