#!/usr/bin/env python3
"""Checks an Assize export without a server and without a network.

A second verifier, written from docs/export-format.md and docs/ledger-format.md alone: where it and the host disagree, one of them
or a page is wrong. Exit code 0: verified; 1: a check failed; 2: it couldn't be run.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

try:
    from compression import zstd  # Python 3.14
except ImportError:
    zstd = None

FORMAT = "assize.dev/export/v1"
ITEMS = {1: "header", 2: "key", 3: "peaks", 4: "entry", 5: "foreign", 6: "payload", 7: "rest", 8: "checkpoint", 9: "token",
         11: "extra", 15: "manifest"}
HEADER = {"format": (str,), "origin": (str,), "from": (int,), "to": (int,), "size": (int,), "previous": (str,),
          "tenant": (str, type(None)), "payloads": (bool,)}
COMMITMENTS = {1: "input", 2: "record"}
MAX_NUMBER, MAX_TIME, MAX_FACTS = 2**64 - 1, 253_402_207_200_000, 16_777_216
MAX_FAULTS = 100  # of one report

DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}")
KEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")
SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class Refused(Exception):
    """What was read isn't what the pages say: what was found, and what was expected."""


def expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        shown = [value.hex() if isinstance(value, bytes) else repr(value) for value in (found, expected)]
        raise Refused(f"{what}: found {shown[0]:.300}, expected {shown[1]:.300}")


class Bytes:
    """A place in bytes; nothing is read beyond their end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, length: int) -> bytes:
        if length > self.left():
            raise Refused(f"byte {self.at}: found {self.left()} more, expected {length}")
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def text(self, width: int) -> str:
        return utf8(self.take(self.number(width)))


def utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"UTF-8: found {data[error.start : error.end].hex()} ({error.reason}), expected none") from None


def unbase64(text: str) -> bytes:
    """RFC 4648, 4, padded: of the ways to write bytes only one is read."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    expect("base64", text, base64.b64encode(data).decode())
    return data


def decimal(text: str) -> int:
    if not DECIMAL.fullmatch(text) or int(text) > MAX_NUMBER:
        raise Refused(f"number: found {text!r:.300}, expected decimal digits")
    return int(text)


def read_json(data: bytes, **how: Any) -> dict[str, Any]:
    def refuse(text: str) -> None:
        raise ValueError(f"{text} is no JSON")

    try:
        value = json.loads(utf8(data), parse_constant=refuse, **how)
    except (ValueError, RecursionError) as error:
        raise Refused(f"JSON: found what can't be read ({error}), expected an object") from None
    expect("JSON", type(value).__name__, "dict")
    return value


# Keys and notes


@dataclass(frozen=True)
class Key:
    """A log's key: Ed25519 under a name."""

    text: str
    name: str
    id: bytes
    public: bytes

    @staticmethod
    def read(text: str) -> Key:
        parts = KEY.fullmatch(text)
        if not parts:
            raise Refused(f"key: found {text!r:.300}, expected name+id+base64")
        public = unbase64(parts[3])
        expect("algorithm and length of a key", (public[:1], len(public)), (b"\1", 33))
        key_id = hashlib.sha256(parts[1].encode() + b"\n" + public).digest()[:4]
        expect("key id", parts[2], key_id.hex())
        return Key(text, parts[1], key_id, public[1:])


@dataclass(frozen=True)
class Note:
    """A signed note (C2SP signed-note): its text counts once `signed_by` has passed."""

    text: str
    signatures: list[tuple[str, bytes]]  # key name, key id ‖ signature

    @staticmethod
    def read(data: bytes) -> Note:
        note = utf8(data)
        expect("control characters of a note", CONTROL.findall(note), [])
        text, gap, lines = note.rpartition("\n\n")
        if not gap or not lines.endswith("\n"):
            raise Refused(f"note: found {note[-40:]!r} at its end, expected an empty line and lines of signatures")
        signatures = []
        for line in lines[:-1].split("\n"):
            parts = SIGNATURE.fullmatch(line)
            if not parts or len(signature := unbase64(parts[2])) < 5:
                raise Refused(f"note: found {line!r:.300}, expected a line with a signature")
            signatures.append((parts[1], signature))
        return Note(text + "\n", signatures)

    def signed_by(self, key: Key) -> None:
        """Any signature under the key's name and id must hold, and there must be one; those of others say nothing."""
        signatures = [signature[4:] for name, signature in self.signatures if (name, signature[:4]) == (key.name, key.id)]
        if not signatures:
            raise Refused(f"signatures: found those of {[name for name, _ in self.signatures]}, expected one by {key.text}")
        for signature in signatures:
            try:
                Ed25519PublicKey.from_public_bytes(key.public).verify(signature, self.text.encode())
            except (InvalidSignature, ValueError):
                raise Refused(f"signature: found {signature.hex()}, expected one by {key.text}") from None


# Entries and the tree


@dataclass(frozen=True)
class Entry:
    origin: str
    seq: int
    previous: bytes
    time: int
    kind: str
    subject: str
    facts: bytes
    commitments: dict[int, bytes]

    @staticmethod
    def read(data: bytes) -> Entry:
        """There is one way to write an entry."""
        fields = Bytes(data)
        expect("magic and format version", fields.take(10), b"ASSIZE\0E\0\1")
        origin, seq, previous, time = fields.text(2), fields.number(8), fields.take(32), fields.number(8)
        if time > MAX_TIME:
            raise Refused(f"time: found {time}, expected at most {MAX_TIME}")
        kind, subject, length = fields.text(2), fields.text(2), fields.number(4)
        if length > MAX_FACTS:
            raise Refused(f"length of facts: found {length}, expected at most {MAX_FACTS}")
        facts, commitments = fields.take(length), {}
        for what, name in COMMITMENTS.items():
            if flag := fields.number(1):
                expect(f"flag of {name}", flag, 1)
                commitments[what] = fields.take(32)
        expect("bytes after the last field", fields.left(), 0)
        return Entry(origin, seq, previous, time, kind, subject, facts, commitments)

    def read_facts(self) -> dict[str, Any]:
        return read_json(self.facts, parse_int=float)  # numbers don't matter here, however long

    def detail(self, name: str) -> str:
        details = self.read_facts().get("details")
        text = details.get(name) if isinstance(details, dict) else None
        if not isinstance(text, str):
            raise Refused(f"details.{name}: found {text!r:.300}, expected a text")
        return text


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def inner_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def full_nodes(start: int, end: int) -> Iterator[int]:
    """The heights of the full nodes of the leaves `start` to `end`, from left to right."""
    while start < end:
        highest = (end - start).bit_length() - 1
        height = min(highest, (start & -start).bit_length() - 1) if start else highest
        yield height
        start += 1 << height


class Tree:
    """The full nodes of a tree that grows (RFC 6962, 2.1), from left to right, each with its height."""

    def __init__(self) -> None:
        self.nodes: list[tuple[int, bytes]] = []

    def add(self, node: bytes, height: int = 0) -> None:
        while self.nodes and self.nodes[-1][0] == height:
            node, height = inner_hash(self.nodes.pop()[1], node), height + 1
        self.nodes.append((height, node))

    def root(self) -> bytes:
        if not self.nodes:
            return hashlib.sha256().digest()
        root = self.nodes[-1][1]
        for _, left in reversed(self.nodes[:-1]):
            root = inner_hash(left, root)
        return root


def root_by_proof(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that a proof of inclusion leads to (RFC 9162, 2.1.3.2)."""
    last, root = size - 1, leaf
    for beside in proof:
        if last == 0:
            raise Refused(f"proof: found {len(proof)} hashes, expected fewer")
        if index & 1 or index == last:
            root = inner_hash(beside, root)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            root = inner_hash(root, beside)
        index, last = index >> 1, last >> 1
    if last:
        raise Refused(f"proof: found {len(proof)} hashes, expected more")
    return root


# The file


def frame_length(data: bytes) -> int:
    """How long the zstd frame at the beginning is (RFC 8878, 3.1.1)."""
    frame = Bytes(data)
    expect("magic of a zstd frame", frame.take(4), b"\x28\xb5\x2f\xfd")
    descriptor = frame.number(1)
    one_segment = descriptor >> 5 & 1
    frame.take(1 - one_segment + (0, 1, 2, 4)[descriptor & 3] + (one_segment, 2, 4, 8)[descriptor >> 6])
    block = 0
    while not block & 1:
        block = int.from_bytes(frame.take(3), "little")
        frame.take(1 if block >> 1 & 3 == 1 else block >> 3)
    frame.take(descriptor & 4)  # the checksum
    return frame.at


def decompress(data: bytes) -> bytes:
    expect("length of the file, beside that of its zstd frame", len(data), frame_length(data))
    if zstd:
        return zstd.decompress(data)
    done = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False)
    expect(f"zstd's exit code ({done.stderr.decode(errors='replace').strip()})", done.returncode, 0)
    return done.stdout


class Check:
    """One check of one file: what is wrong with it, and what it holds."""

    def __init__(self, log_key: Key | None, tsa_roots: bytes | None) -> None:
        self.log_key, self.tsa_roots = log_key, tsa_roots
        self.faults: list[str] = []
        self.counts = dict.fromkeys(("entries", "foreign", "payloads", "erased", "checkpoints", "tokens"), 0)
        self.header: dict[str, Any] = {}
        self.keys: dict[int, tuple[Key, str]] = {}  # by seq, oldest first: a key and its statement
        self.tree, self.root = Tree(), b""
        self.introduced: set[int] = set()  # the keys whose entry was shown
        self.times: list[int] = []  # of the first and the last entry shown
        self.missing: list[tuple[int, str]] = []  # commitments shown without their bytes
        self.erasures: list[tuple[int, int]] = []  # from seq to seq, both ends included
        self.checkpoints: dict[int, Note] = {}  # by size, those that hold

    @contextmanager
    def noting(self, where: str) -> Iterator[None]:
        """What is refused in here is a fault, but doesn't keep the check from going on."""
        try:
            yield
        except Refused as refused:
            if len(self.faults) < MAX_FAULTS:
                self.faults.append(f"{where}: {refused}")

    def take(self, *kinds: str) -> tuple[str, Bytes]:
        """The next item, which is of one of these kinds."""
        at, wanted = self.stream.at, " or ".join(kinds)
        if not self.stream.left():
            raise Refused(f"byte {at}: found the end, expected {wanted}")
        number = self.stream.number(1)
        kind = ITEMS.get(number, f"an item of unknown kind {number:02x}")
        if kind not in kinds:
            raise Refused(f"byte {at}: found {kind}, expected {wanted}")
        return kind, Bytes(self.stream.take(self.stream.number(8)))

    def take_all(self, kind: str) -> Iterator[Bytes]:
        """The items of this kind up to the next of another."""
        while self.stream.left() and ITEMS.get(self.stream.data[self.stream.at]) == kind:
            yield self.take(kind)[1]

    def run(self, stream: bytes) -> None:
        self.stream = Bytes(stream)
        expect("magic and version", self.stream.take(10), b"ASSIZE\0X\0\1")
        self.read_header(self.take("header")[1].data)
        self.read_keys()
        self.read_nodes("peaks", 0, self.header["from"])
        self.read_entries()
        self.read_nodes("rest", self.header["to"], self.header["size"])
        self.root = self.tree.root()
        if self.header["size"] != self.header["to"]:
            self.read_checkpoint(self.take("checkpoint")[1], self.header["size"])
        with self.noting("checkpoints"):
            expect("whether the last covers size and holds", self.header["size"] in self.checkpoints, True)
        for item in self.take_all("extra"):
            self.read_extra(item)
        with self.noting("keys"):
            expect("entries that introduce them", sorted(self.introduced), list(self.keys))
        self.find_holes()
        for item in self.take_all("token"):
            self.read_token(item)
        covered = hashlib.sha256(stream[: self.stream.at]).hexdigest()
        with self.noting("manifest"):
            note = Note.read(self.take("manifest")[1].data)
            entries = "entries {from} {to} of {size}".format(**self.header)
            expect("text", note.text, f"{FORMAT}\n{self.header['origin']}\n{entries}\nsha256 {covered}\n")
            note.signed_by(self.key_of(self.header["size"]))
            expect("signatures", len(note.signatures), 1)
        expect("bytes after the manifest", self.stream.left(), 0)

    def read_header(self, content: bytes) -> None:
        header = read_json(content)
        expect("header: keys", list(header), list(HEADER))
        for name, types in HEADER.items():
            expect(f"header: type of {name}", type(header[name]) in types, True)
        expect("header: format", header["format"], FORMAT)
        expect("header: its one form", utf8(content), json.dumps(header, ensure_ascii=False, separators=(",", ":")))
        if not 0 <= header["from"] < header["to"] <= header["size"] <= MAX_NUMBER:
            raise Refused(f"header: found {header['from']}, {header['to']}, {header['size']}, expected from < to ≤ size")
        expect("header: form of previous", bool(re.fullmatch("[0-9a-f]{64}", header["previous"])), True)
        if header["from"] == 0:
            expect("header: previous", header["previous"], "0" * 64)
        self.header = header

    def read_keys(self) -> None:
        """Each statement names the key before it: else a file could join a key of its own to a known one."""
        newest, key = -1, None
        for item in (self.take("key")[1], *self.take_all("key")):
            seq, statement = item.number(8), item.take(item.left())
            if not newest < seq < self.header["size"]:
                raise Refused(f"key: found seq {seq}, expected one after {newest} and below size")
            newest, key = seq, self.read_statement(statement, key)
            self.keys[seq] = key, utf8(statement)
        known = [key.text for key, _ in self.keys.values()]
        if self.log_key and self.log_key.text not in known:
            raise Refused(f"keys: found {known}, expected {self.log_key.text}")

    def read_statement(self, statement: bytes, known: Key | None) -> Key:
        note = Note.read(statement)
        lines = note.text.split("\n")
        expect("statement: lines", len(lines) - 1, 4)
        expect("statement: first lines", lines[:2], ["assize.dev/log-key/v1", self.header["origin"]])
        key, before = Key.read(lines[2]), None if lines[3] == "none" else Key.read(lines[3])
        expect("statement: key before", lines[3], known.text if known else "none")
        for signer in [key, before] if before else [key]:
            expect("statement: name of a key", signer.name, self.header["origin"])
            note.signed_by(signer)
        return key

    def read_nodes(self, kind: str, start: int, end: int) -> None:
        item, heights = self.take(kind)[1], list(full_nodes(start, end))
        expect(f"{kind}: bytes", item.left(), 32 * len(heights))
        for height in heights:
            self.tree.add(item.take(32), height)
        if kind == "peaks" and end & 1:
            with self.noting("header"):
                expect("previous, beside the last peak", self.header["previous"], item.data[-32:].hex())

    def read_entries(self) -> None:
        previous = bytes.fromhex(self.header["previous"])
        for seq in range(self.header["from"], self.header["to"]):
            kind, item = self.take("entry", "foreign")
            entry = None
            self.counts["entries" if kind == "entry" else kind] += 1
            with self.noting(f"entry {seq}"):
                if kind == "entry":
                    entry = Entry.read(item.data)
                    self.check_entry(entry, seq, previous)
                else:
                    expect("foreign: bytes", item.left(), 32)
                    expect("foreign: whether the header names a tenant", self.header["tenant"] is not None, True)
            previous = item.data if kind == "foreign" else leaf_hash(item.data)
            self.tree.add(previous)
            self.read_payloads(seq, entry)
            for checkpoint in self.take_all("checkpoint"):
                self.read_checkpoint(checkpoint, seq + 1)

    def check_entry(self, entry: Entry, seq: int, previous: bytes) -> None:
        latest = self.times[-1] if self.times else 0
        self.times = [*self.times[:1], entry.time]
        expect("origin", entry.origin, self.header["origin"])
        expect("seq", entry.seq, seq)
        expect("previous", entry.previous, previous)
        if entry.time < latest:
            raise Refused(f"time: found {entry.time}, expected {latest} or later")
        if self.header["tenant"] is not None:
            expect("tenant", entry.read_facts().get("tenant"), self.header["tenant"])
        self.check_kind(entry)

    def check_kind(self, entry: Entry) -> None:
        """What introduces a key says what the keys of the file say; what names erased payloads is remembered."""
        if entry.kind == "log.key" or entry.seq in self.keys:
            expect("kind of an entry with a key", entry.kind, "log.key")
            expect("whether the keys have this one's statement", entry.seq in self.keys, True)
            key, statement = self.keys[entry.seq]
            expect("subject", entry.subject, key.text)
            expect("details.statement", entry.detail("statement"), statement)
            self.introduced.add(entry.seq)
        if entry.kind == "payload.erased" and self.header["payloads"]:
            for target in entry.detail("targets").split(","):
                first, dash, last = target.partition("-")
                span = decimal(first), decimal(last if dash else first)
                expect("details.targets: order of a range", span, tuple(sorted(span)))
                self.erasures.append((span[0], min(span[1], entry.seq - 1)))  # nothing is erased before it is written

    def read_payloads(self, seq: int, entry: Entry | None) -> None:
        shown: list[int] = []
        for item in self.take_all("payload"):
            self.counts["payloads"] += 1
            with self.noting(f"payload of entry {seq}"):
                expect("whether the header has payloads", self.header["payloads"], True)
                expect("seq", item.number(8), seq)
                what, salt = item.number(1), item.take(32)
                if what not in COMMITMENTS or shown and what <= shown[-1]:
                    raise Refused(f"what it is: found {what} after {shown}, expected 1 (input), then 2 (record)")
                shown.append(what)
                found = hmac.digest(salt, item.take(item.left()), "sha256")
                expect(COMMITMENTS[what], found, entry and entry.commitments.get(what))
        if entry and self.header["payloads"]:
            self.missing += [(seq, COMMITMENTS[what]) for what in entry.commitments if what not in shown]

    def find_holes(self) -> None:
        """What is missing and what was erased are compared once, from low to high."""
        spans, reach = sorted(self.erasures, reverse=True), -1
        for seq, name in self.missing:
            while spans and spans[-1][0] <= seq:
                reach = max(reach, spans.pop()[1])
            self.counts["erased"] += seq <= reach
            with self.noting(f"payload of entry {seq}"):
                expect(name, "erased" if seq <= reach else "a hole", "erased")

    def key_of(self, size: int) -> Key:
        """The last key introduced by an entry whose `seq < size`."""
        keys = [key for seq, (key, _) in self.keys.items() if seq < size]
        expect(f"whether a key was introduced before {size}", bool(keys), True)
        return keys[-1]

    def read_checkpoint(self, item: Bytes, size: int) -> None:
        self.counts["checkpoints"] += 1
        with self.noting(f"checkpoint of {size}"):
            note = Note.read(item.data)
            root = base64.b64encode(self.tree.root()).decode()
            expect("text", note.text, f"{self.header['origin']}\n{size}\n{root}\n")
            note.signed_by(self.key_of(size))
            self.checkpoints[size] = note

    def read_extra(self, item: Bytes) -> None:
        with self.noting(f"extra at byte {self.stream.at}"):
            seq = item.number(8)
            proof = [item.take(32) for _ in range(item.number(2))]
            shown = self.header["tenant"] is None and self.header["from"] <= seq < self.header["to"]
            if seq >= self.header["size"] or shown:
                raise Refused(f"seq: found {seq}, expected one that isn't shown, below size")
            data = item.take(item.left())
            entry = Entry.read(data)
            expect("origin and seq", (entry.origin, entry.seq), (self.header["origin"], seq))
            expect("root by its proof", root_by_proof(leaf_hash(data), seq, self.header["size"], proof), self.root)
            self.check_kind(entry)

    def read_token(self, item: Bytes) -> None:
        self.counts["tokens"] += 1
        with self.noting(f"token {self.counts['tokens']}"):
            size, authority, token = item.number(8), item.text(2), item.take(item.left())
            expect(f"whether a checkpoint of {size} is in the file and holds", size in self.checkpoints, True)
            expect("whether a token follows", bool(token), True)
            check_token(self.checkpoints[size], authority, token, self.tsa_roots)

    def report(self) -> dict[str, Any]:
        header = {name: self.header.get(name) for name in ("origin", "from", "to", "size")}
        first, last = (timestamp(self.times[0]), timestamp(self.times[-1])) if self.times else (None, None)
        return {"verified": not self.faults, "faults": self.faults, **header, **self.counts,
                "first": first, "last": last, "root": self.root.hex() or None}


def check_token(checkpoint: Note, authority: str, token: bytes, roots: bytes | None) -> None:
    """To be written when ledger-format.md has its section *Time stamps*; until then no token is relied on."""


def timestamp(milliseconds: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def verify(data: bytes, raw: bool, log_key: Key | None, tsa_roots: bytes | None) -> dict[str, Any]:
    """Whatever the file holds, the answer is a report."""
    check = Check(log_key, tsa_roots)
    try:
        check.run(data if raw else decompress(data))
    except Refused as refused:
        check.faults.append(f"file: {refused}")
    except OSError:
        raise  # zstd couldn't be started: not the file's fault
    except Exception as error:  # a verifier that fell over hasn't verified
        check.faults.append(f"file: found what this verifier can't read ({error!r})")
    return check.report()


def main() -> int:
    parser = argparse.ArgumentParser(description="Checks an Assize export.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--log-key", metavar="KEY", help="a key of the log, known from elsewhere: name+id+base64")
    parser.add_argument("--tsa-roots", type=Path, metavar="FILE", help="root certificates of time-stamp authorities (PEM)")
    parser.add_argument("--raw", action="store_true", help="the file isn't compressed")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    given = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        log_key = Key.read(given.log_key) if given.log_key is not None else None
        roots = given.tsa_roots.read_bytes() if given.tsa_roots else None
        report = verify(given.file.read_bytes(), given.raw, log_key, roots)
    except (Refused, OSError, ValueError) as error:
        parser.error(str(error))
    if given.json:
        print(json.dumps(report))
    elif report["verified"]:
        print("verified: {origin!r}, entries {from} to {to} of {size}, root {root}".format(**report))
        print("shown: {entries} ({first} to {last}), foreign: {foreign}, payloads: {payloads}, erased: {erased}, "
              "checkpoints: {checkpoints}, tokens, not relied on: {tokens}".format(**report))
        print("key: known from elsewhere" if log_key else "key: on the file's own word; give the log's with --log-key")
    else:
        print("NOT verified", *report["faults"], sep="\n  ")
    return 0 if report["verified"] else 1


if __name__ == "__main__":
    sys.exit(main())
