import type { Evidence } from "./contract.ts";

/** A string of the payload and where it stands. */
export class Text {
  /** How far bytes have been counted: places of evidence mostly come in their order. */
  #units = 0;
  #bytes = 0;
  #ascii: boolean;

  constructor(
    /** The string with its JSON escapes resolved. */
    readonly value: string,
    /** JSON Pointer (RFC 6901) into the payload. */
    readonly pointer: string,
  ) {
    this.#ascii = /^[\0-\x7f]*$/.test(value);
  }

  /** Evidence for `value.slice(start, end)`: from JavaScript's offsets (UTF-16) to the contract's (bytes of UTF-8). */
  at(start: number, end: number): Evidence {
    return { pointer: this.pointer, span: { start: this.#offset(start), end: this.#offset(end) } };
  }

  /** Evidence for a match of a regular expression. */
  match(match: RegExpMatchArray): Evidence {
    const start = match.index ?? 0;
    return this.at(start, start + match[0].length);
  }

  /** Evidence for all of it. */
  whole(): Evidence {
    return { pointer: this.pointer, span: null };
  }

  #offset(units: number): number {
    if (this.#ascii) return units;
    if (units < this.#units) this.#units = this.#bytes = 0;
    let bytes = this.#bytes;
    for (let unit = this.#units; unit < units; unit++) {
      const code = this.value.charCodeAt(unit);
      // Either half of a surrogate pair stands for two of its four bytes.
      bytes += code < 0x80 ? 1 : code < 0x800 || (code >= 0xd800 && code < 0xe000) ? 2 : 3;
    }
    this.#units = units;
    this.#bytes = bytes;
    return bytes;
  }
}

const TOKEN = /[\s:,]*("(?:[^"\\]|\\.)*"|[{}[\]]|[^\s,:{}[\]"]+)/y;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?:[^\ud800-\udbff]|^)[\udc00-\udfff]/;

/**
 * All strings of a JSON document (values, not keys), in the order in which they stand: `JSON.parse` puts keys that look
 * like numbers before all others. The host has checked the document.
 */
export function texts(json: string): Text[] {
  const found: Text[] = [];
  // For each open object or array: its pointer, and the next index of an array (−1: an object).
  const open: { pointer: string; index: number }[] = [];
  let key: string | undefined;
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(json); match; match = TOKEN.exec(json)) {
    const token = match[1];
    if (token === "}" || token === "]") {
      open.pop();
      continue;
    }
    const inside = open[open.length - 1];
    if (inside?.index === -1 && key === undefined) {
      key = (JSON.parse(token) as string).replaceAll("~", "~0").replaceAll("/", "~1");
      continue;
    }
    const pointer = inside === undefined ? "" : `${inside.pointer}/${inside.index === -1 ? key : inside.index++}`;
    key = undefined;
    if (token === "{") open.push({ pointer, index: -1 });
    else if (token === "[") open.push({ pointer, index: 0 });
    else if (token[0] === '"') {
      const value = JSON.parse(token) as string;
      if (LONE_SURROGATE.test(value)) throw new Error(`the string at "${pointer}" has a lone surrogate, which is no text`);
      found.push(new Text(value, pointer));
    }
  }
  return found;
}
