import type { WireCase } from "./contract.ts";
import { InvalidCase } from "./errors.ts";
import { type Text, texts } from "./texts.ts";

/** The case under judgment, with its JSON parsed when first asked for. */
export class Case {
  #payload: unknown;
  #context: unknown;

  constructor(
    /** The plain facts: `kind`, `action`, `jurisdictions`, `occurredAt`, … */
    readonly facts: WireCase,
  ) {}

  get kind(): string {
    return this.facts.kind;
  }

  /** The payload as JavaScript values. */
  get payload(): any {
    return (this.#payload ??= parsed(this.facts.payload, "payload"));
  }

  /** What the host added before judging, as JavaScript values. */
  get context(): any {
    return (this.#context ??= parsed(this.facts.context, "context"));
  }

  /** What the host knows of the AI system that the case comes from. Undefined: the case names none. */
  get registeredSystem(): any {
    return this.context?.system ?? undefined;
  }

  /** Whether the case lists the jurisdiction, e.g. `EU`. */
  isIn(code: string): boolean {
    return this.facts.jurisdictions.includes(code);
  }

  /** All strings of the payload (values, not keys), in the order in which they stand. */
  texts(): Text[] {
    try {
      return texts(this.facts.payload);
    } catch (error) {
      throw new InvalidCase(`the case's payload can't be read: ${(error as Error).message}`);
    }
  }
}

function parsed(json: string, part: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new InvalidCase(`the case's ${part} can't be read: ${(error as Error).message}`);
  }
}
