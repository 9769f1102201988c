/**
 * Links and images that carry data out: what a model was talked into writing, and what a page or a chat then loads by itself.
 *
 * It reads addresses in Markdown, HTML and plain text. Whether what an address carries is secret, it can't tell.
 */
import { type Evidence, type Finding, type Severity, assessment, finding, riskAgent } from "@assize/sdk";

import { type Address, addresses } from "./addresses.ts";

const HANDLING = "OWASP Top 10 for LLM Applications 2025, LLM05 Improper Output Handling";
const DISCLOSURE = "OWASP Top 10 for LLM Applications 2025, LLM02 Sensitive Information Disclosure";

interface Settings {
  /** Hosts, with all below them, that links may lead to. */
  allowed_hosts: string[];
}

interface Check {
  code: string;
  severity: Severity;
  message: string;
  points: number;
  citation: string;
  applies: (address: Address) => boolean;
}

const CHECKS: Check[] = [
  {
    code: "IMAGE_CARRIES_DATA", severity: "high", points: 5, citation: DISCLOSURE,
    message: "an image, which is loaded without a click, has an address that carries data",
    applies: (address) => address.loadsItself && carriesData(address),
  },
  {
    code: "LINK_CARRIES_DATA", severity: "medium", points: 2.5, citation: DISCLOSURE,
    message: "a link's address carries data",
    applies: (address) => !address.loadsItself && carriesData(address),
  },
  {
    code: "DATA_PLACEHOLDER", severity: "high", points: 5, citation: DISCLOSURE,
    message: "an address has a place for data to be filled in",
    applies: ({ after }) => /\{\{?[\w .-]{2,40}\}?\}|\[[A-Z_ ]{3,40}\]|<[A-Za-z_ ]{3,40}>|\$\{[^}]{1,60}\}|%7B[\w.-]{2,40}%7D/.test(after),
  },
  {
    code: "LINK_SHOWS_ANOTHER_HOST", severity: "medium", points: 3, citation: HANDLING,
    message: "a link shows one host and leads to another",
    applies: ({ shown, host }) => {
      const told = /^\s*(?:https?:\/\/)?((?:[a-z0-9-]+\.)+[a-z]{2,24})(?:[/:?#]\S*)?\s*$/i.exec(shown ?? "")?.[1]?.toLowerCase();
      return told !== undefined && !within(host, told) && !within(told, host);
    },
  },
  {
    code: "DISGUISED_HOST", severity: "medium", points: 2, citation: HANDLING,
    message: "an address hides where it leads: by a name before an @, a bare number, or look-alike letters",
    applies: ({ user, host }) =>
      user !== undefined || /^(?:\d{1,3}(?:\.\d{1,3}){3}|\d{8,10}|0x[0-9a-f]+|\[[0-9a-f:.]+\])$/.test(host) || /(?:^|\.)xn--/.test(host),
  },
];

/** A stretch that words aren't: long, and of letters and digits mixed as encodings mix them. */
function carriesData({ after }: Address): boolean {
  const stretches = after.match(/[A-Za-z0-9+/_=-]{24,}|(?:%[0-9A-Fa-f]{2}){8,}|(?:[\w.-]+(?:\+|%20)){6,}/g) ?? [];
  return stretches.some((stretch) => {
    if (/%|\+/.test(stretch) && /(?:%20|\+)/.test(stretch)) return true;
    if (stretch.startsWith("%")) return true;
    // The path of an article has hyphens or slashes between words of one case.
    const unbroken = stretch.split(/[/_-]/).some((part) => part.length >= 20);
    const kinds = [/[a-z]/, /[A-Z]/, /\d/].filter((kind) => kind.test(stretch)).length;
    return unbroken && kinds >= 2;
  });
}

function within(host: string, other: string): boolean {
  const plain = (name: string) => name.replace(/^www\./, "");
  return plain(host) === plain(other) || host.endsWith(`.${plain(other)}`);
}

// One finding may point at several places.
const MOST_PLACES = 20;

export const assessor = riskAgent<Settings>(
  (settings, subject) => {
    const places = new Map<Check, Evidence[]>();
    const hosts = new Set<string>();
    for (const text of subject.texts()) {
      for (const address of addresses(text.value)) {
        if (settings.allowed_hosts.some((allowed) => within(address.host, allowed)) && address.user === undefined) continue;
        for (const check of CHECKS.filter((check) => check.applies(address))) {
          hosts.add(address.host);
          const before = places.get(check) ?? [];
          if (before.length < MOST_PLACES) places.set(check, [...before, text.at(address.start, address.end)]);
        }
      }
    }
    const findings: Finding[] = CHECKS.flatMap((check) => {
      const evidence = places.get(check);
      const { code, severity, message, points, citation } = check;
      return evidence ? [finding(code, severity, message, { points, evidence, citation })] : [];
    });
    return assessment(findings, findings.length > 0 ? 0.8 : 0.6, { hosts: [...hosts].sort().slice(0, MOST_PLACES) });
  },
  ({ allowed_hosts = [] }) => {
    for (const host of allowed_hosts) {
      if (!/^(?:[a-z0-9-]+\.)*[a-z0-9-]+$/.test(host)) {
        throw new Error(`allowed_hosts: "${host}" is no host; write it as "docs.example.com", in lowercase`);
      }
    }
    return { allowed_hosts };
  },
);
