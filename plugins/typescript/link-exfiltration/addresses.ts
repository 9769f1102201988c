/** An address of the web in a text. */
export interface Address {
  /** Where it stands, in JavaScript's offsets. */
  start: number;
  end: number;
  /** In lowercase, without port. */
  host: string;
  /** What stands before an @ in front of the host. */
  user: string | undefined;
  /** Path, query and fragment. */
  after: string;
  /** What a reader sees instead of it. */
  shown: string | undefined;
  /** An image, a frame: fetched as soon as it is shown. */
  loadsItself: boolean;
}

// A Markdown link or image (with its text), an HTML attribute, or a bare address.
const PLACES =
  /(!?)\[([^\]\n]{0,300})\]\(\s*<?((?:https?:)?\/\/[^\s)>"']{1,4000})|(src|href)\s*=\s*["']?((?:https?:)?\/\/[^\s"'>]{1,4000})|(https?:\/\/[^\s<>"'`]{1,4000})/gi;
const PARTS = /^(?:https?:)?\/\/(?:([^/?#@]*)@)?(\[[0-9a-f:.]+\]|[^/?#:@]+)(?::\d+)?(.*)$/is;

/** All addresses of a text, in the order in which they stand. */
export function addresses(text: string): Address[] {
  const found: Address[] = [];
  for (const match of text.matchAll(PLACES)) {
    const [all, image, shown, linked, attribute, inAttribute, bare] = match;
    // A sentence's end isn't part of an address that stands in it.
    const address = linked ?? inAttribute ?? bare.replace(/[.,;:!?)\]]+$/, "");
    const parts = PARTS.exec(address);
    if (!parts) continue;
    const start = match.index + all.indexOf(address);
    found.push({
      start,
      end: start + address.length,
      host: parts[2].toLowerCase(),
      user: parts[1],
      after: parts[3],
      shown: image ? undefined : shown,
      loadsItself: image === "!" || attribute?.toLowerCase() === "src",
    });
  }
  return found;
}
