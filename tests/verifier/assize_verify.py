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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

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


# Time stamps


def oid(text: str) -> bytes:
    first, second, *others = (int(arc) for arc in text.split("."))
    content = b""
    for arc in (40 * first + second, *others):
        septets = [arc & 127]
        while arc := arc >> 7:
            septets.insert(0, arc & 127 | 128)
        content += bytes(septets)
    return content


BOOLEAN, INTEGER, BITS, OCTETS, NULL, OID, SEQUENCE, SET, UTC_TIME, TIME = 1, 2, 3, 4, 5, 6, 0x30, 0x31, 0x17, 0x18
FORMS = {BOOLEAN: rb"\x00|\xff", INTEGER: rb".|\x00[\x80-\xff].*|[\x01-\xfe].+|\xff[\x00-\x7f].*", NULL: rb"",
         BITS: rb"\x00.*|[\x01-\x07].+", OID: rb"(?:[\x00-\x7f]|[\x81-\xff][\x80-\xff]*[\x00-\x7f])+"}
YEAR_TO_SECOND, FRACTION = rb"([0-9]{2}|[0-9]{4})" + rb"([0-9]{2})" * 5, rb"(?:\.([0-9]*[1-9]))?"
MAX_DEPTH, MAX_BETWEEN = 32, 6  # of values in values; of certificates between the signer's and a root

SIGNED_DATA, TST_INFO = oid("1.2.840.113549.1.7.2"), oid("1.2.840.113549.1.9.16.1.4")
CONTENT_TYPE, MESSAGE_DIGEST = oid("1.2.840.113549.1.9.3"), oid("1.2.840.113549.1.9.4")
SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = oid("1.2.840.113549.1.9.16.2.12"), oid("1.2.840.113549.1.9.16.2.47")
KEY_IDENTIFIER, KEY_USAGE, CONSTRAINTS, PURPOSES = oid("2.5.29.14"), oid("2.5.29.15"), oid("2.5.29.19"), oid("2.5.29.37")
UNDERSTOOD = {KEY_USAGE, CONSTRAINTS, PURPOSES, oid("2.5.29.17"), oid("2.5.29.32")}  # other names and policies forbid nothing
DIGITAL_SIGNATURE, NON_REPUDIATION, KEY_CERT_SIGN = 0, 1, 5  # bits of a key usage
TIME_STAMPING = oid("1.3.6.1.5.5.7.3.8").hex()
SHA_256, SHA_384, SHA_512 = SHA256(), SHA384(), SHA512()
HASHES: dict[bytes, HashAlgorithm] = {oid("2.16.840.1.101.3.4.2.1"): SHA_256, oid("2.16.840.1.101.3.4.2.2"): SHA_384,
                                      oid("2.16.840.1.101.3.4.2.3"): SHA_512}
RSA, EC = oid("1.2.840.113549.1.1.1"), oid("1.2.840.10045.2.1")
SIGNATURES: dict[bytes, tuple[bytes, HashAlgorithm | None]] = {  # the key's kind, and the hash if it is named
    RSA: (RSA, None), oid("1.2.840.113549.1.1.11"): (RSA, SHA_256), oid("1.2.840.113549.1.1.12"): (RSA, SHA_384),
    oid("1.2.840.113549.1.1.13"): (RSA, SHA_512), oid("1.2.840.10045.4.3.2"): (EC, SHA_256),
    oid("1.2.840.10045.4.3.3"): (EC, SHA_384)}
PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Value:
    """One value in DER, and the values that it's made of."""

    tag: int
    content: bytes
    whole: bytes
    parts: list[Value]

    def only(self) -> Value:
        expect("DER: values in a value", len(self.parts), 1)
        return self.parts[0]

    def number(self) -> int:
        expect("DER: form of a number", bool(re.fullmatch(FORMS[INTEGER], self.content, re.DOTALL)), True)
        return int.from_bytes(self.content, "big", signed=True)

    def moment(self, fraction: bytes = b"()") -> datetime:
        parts = re.fullmatch(YEAR_TO_SECOND + fraction + b"Z", self.content)
        if not parts or (self.tag, len(parts[1])) not in ((UTC_TIME, 2), (TIME, 4)):
            raise Refused(f"time: found {self.content[:40]!r}, expected one as DER has it")
        year, month, day, hour, minute, second = (int(part) for part in parts.groups()[:6])
        year += 0 if self.tag == TIME else 2000 if year < 50 else 1900
        try:
            moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError as error:
            raise Refused(f"time: found {self.content[:40]!r} ({error}), expected a real one") from None
        return moment + timedelta(milliseconds=int((parts[7] or b"")[:3].ljust(3, b"0")))


def read_values(data: bytes, depth: int = 0) -> list[Value]:
    """The values side by side in these bytes: there is one way to write each."""
    if depth > MAX_DEPTH:
        raise Refused(f"DER: found values in values, expected at most {MAX_DEPTH} deep")
    values, place = [], Bytes(data)
    while place.left():
        start, tag, length = place.at, place.number(1), place.number(1)
        if (width := length - 128) >= 0:
            length = place.number(width)
            if length < 128 or not length >> 8 * (width - 1):
                raise Refused(f"DER: found a length in {width} bytes, expected the shortest form")
        content, built = place.take(length), bool(tag & 32)
        formed = tag not in FORMS or re.fullmatch(FORMS[tag], content, re.DOTALL)
        if not formed or tag == 0 or tag & 31 == 31 or tag < 64 and built != (tag in (SEQUENCE, SET)):
            raise Refused(f"DER: found tag {tag:02x} with {content[:40].hex()}, expected what DER allows")
        if tag == BITS and content[-1] & (1 << content[0]) - 1:
            raise Refused(f"DER: found {content[-1]:02x} at the end of bits, expected zeros in the {content[0]} unused ones")
        values.append(Value(tag, content, data[start : place.at], read_values(content, depth + 1) if built else []))
    return values


def read_value(data: bytes) -> Value:
    values = read_values(data)
    expect("DER: values", len(values), 1)
    return values[0]


class Fields:
    """The fields of a structure in DER, in their order."""

    def __init__(self, structure: Value, tag: int = SEQUENCE) -> None:
        expect("DER: tag of a structure", structure.tag, tag)
        self.left = structure.parts.copy()

    def perhaps(self, tag: int) -> Value | None:
        return self.left.pop(0) if self.left and self.left[0].tag == tag else None

    def take(self, tag: int) -> Value:
        if field := self.perhaps(tag):
            return field
        raise Refused(f"DER: found {f'tag {self.left[0].tag:02x}' if self.left else 'the end'}, expected tag {tag:02x}")

    def end(self) -> None:
        expect("DER: fields after the last", len(self.left), 0)


def read_algorithm(value: Value) -> bytes:
    """An algorithm whose parameters are NULL or absent."""
    fields = Fields(value)
    name = fields.take(OID).content
    fields.perhaps(NULL)
    fields.end()
    return name


def read_hash(value: Value) -> HashAlgorithm:
    name = read_algorithm(value)
    expect(f"whether {name.hex()} is SHA-256, SHA-384 or SHA-512", name in HASHES, True)
    return HASHES[name]


def read_extensions(value: Value) -> dict[bytes, tuple[bool, bytes]]:
    """By name: whether it is critical, and what it holds."""
    extensions: dict[bytes, tuple[bool, bytes]] = {}
    for part in value.parts:
        fields = Fields(part)
        name, critical = fields.take(OID).content, fields.perhaps(BOOLEAN)
        expect(f"whether extension {name.hex()} is there twice", name in extensions, False)
        extensions[name] = bool(critical and critical.content[0]), fields.take(OCTETS).content
        fields.end()
    return extensions


@dataclass(frozen=True)
class Certificate:
    """What an X.509 certificate says (RFC 5280, 4.1)."""

    der: bytes
    body: bytes  # what the signature is over
    algorithm: Value
    signature: bytes
    serial: bytes
    issuer: bytes
    validity: tuple[datetime, ...]
    subject: bytes
    key: Value
    extensions: dict[bytes, tuple[bool, bytes]]

    @staticmethod
    def read(value: Value) -> Certificate:
        outer = Fields(value)
        body, algorithm, signature = outer.take(SEQUENCE), outer.take(SEQUENCE), outer.take(BITS).content
        outer.end()
        expect("certificate: unused bits of the signature", signature[0], 0)
        fields = Fields(body)
        version = wrapped.only().number() if (wrapped := fields.perhaps(0xA0)) else 0
        serial = fields.take(INTEGER).whole
        expect("certificate: algorithm in its body", fields.take(SEQUENCE).whole, algorithm.whole)
        issuer, validity, subject, key = (fields.take(SEQUENCE) for _ in range(4))
        expect("certificate: times", len(validity.parts), 2)
        fields.perhaps(0x81)
        fields.perhaps(0x82)
        extensions = read_extensions(Fields(wrapped, 0xA3).take(SEQUENCE)) if (wrapped := fields.perhaps(0xA3)) else {}
        fields.end()
        expect("certificate: whether its version allows what it holds", version == 2 or version in (0, 1) and not extensions, True)
        return Certificate(value.whole, body.whole, algorithm, signature[1:], serial, issuer.whole,
                           tuple(part.moment() for part in validity.parts), subject.whole, key, extensions)

    def extension(self, name: bytes) -> Value | None:
        return read_value(self.extensions[name][1]) if name in self.extensions else None

    def check_usage(self, *uses: int) -> None:
        """If there is a key usage, it holds one of these."""
        if usage := self.extension(KEY_USAGE):
            bits = "".join(f"{byte:08b}" for byte in usage.content[1:]) if usage.tag == BITS else ""
            expect(f"key usage: whether {bits} holds one of {uses}", any(bits[use : use + 1] == "1" for use in uses), True)

    def purposes(self) -> list[str]:
        usage = self.extension(PURPOSES)
        return [part.content.hex() if part.tag == OID else "?" for part in Fields(usage).left] if usage else []

    def reach(self) -> int:
        """How many certificates may be between this one and the signer's; -1 if it is no CA's."""
        if not (constraints := self.extension(CONSTRAINTS)):
            return -1
        fields = Fields(constraints)
        ca, length = fields.perhaps(BOOLEAN), fields.perhaps(INTEGER)
        fields.end()
        return (length.number() if length else MAX_BETWEEN) if ca and ca.content[0] else -1

    def check_at(self, moment: datetime) -> None:
        first, last = self.validity
        if not first <= moment.replace(microsecond=0) <= last:
            raise Refused(f"certificate: found a stamp of {moment}, expected one from {first} to {last}")
        critical = {name.hex() for name, (critical, _) in self.extensions.items() if critical and name not in UNDERSTOOD}
        expect("certificate: critical extensions that aren't understood", critical, set())

    def check_issuer(self, between: int) -> None:
        """It may issue certificates of authorities, with so many others between it and the signer's."""
        expect(f"whether it is a CA's with at least {between} below it", self.reach() >= between, True)
        self.check_usage(KEY_CERT_SIGN)
        if PURPOSES in self.extensions:
            expect("whether a CA is one for time stamps", TIME_STAMPING in self.purposes(), True)

    def check_signature(self, message: bytes, algorithm: Value, signature: bytes, digest: HashAlgorithm | None = None) -> None:
        """It is by this certificate's key; a hash that is given must be that of the signature."""
        name, key_kind = read_algorithm(algorithm), Fields(Fields(self.key).take(SEQUENCE)).take(OID).content
        kind, hashed = SIGNATURES.get(name, (b"", None))
        hashed = hashed or digest
        if kind != key_kind or not hashed or digest not in (None, hashed):
            raise Refused(f"signature: found algorithm {name.hex()}, expected one that fits key and hash")
        try:
            key = load_der_public_key(self.key.whole)
            if isinstance(key, RSAPublicKey) and 2048 <= key.key_size <= 8192:
                key.verify(signature, message, PKCS1v15(), hashed)
            elif isinstance(key, EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"):
                key.verify(signature, message, ECDSA(hashed))
            else:
                raise Refused("key: found another, expected RSA of 2048 to 8192 bits or one on P-256 or P-384")
        except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
            raise Refused(f"signature: found {signature.hex():.300} ({error!r}), expected one by the certificate's key") from None


def read_certificates(pem: bytes) -> list[Certificate]:
    """Those that are trusted: the ones that name themselves as issuer are roots, the others may complete a chain."""
    blocks = PEM.findall(pem.decode("ascii", errors="replace"))
    trusted = [Certificate.read(read_value(unbase64("".join(block.split())))) for block in blocks]
    expect("whether there is a root among the certificates", any(one.issuer == one.subject for one in trusted), True)
    return trusted


def check_chain(signer: Certificate, known: list[Certificate], trusted: list[Certificate], moment: datetime) -> None:
    """All ways up from the signer, level by level, until one ends at a root (RFC 5280, 6.1)."""
    signer.check_at(moment)
    level, seen, reason = [(signer, 0)], set(), "no issuer"
    for _ in range(MAX_BETWEEN + 1):
        above = []
        for below, between in level:
            for issuer in known:
                if issuer.subject != below.issuer or (issuer.der, between) in seen:
                    continue
                try:
                    root = issuer in trusted and issuer.issuer == issuer.subject
                    issuer.check_at(moment)
                    if not root:
                        issuer.check_issuer(between)
                    issuer.check_signature(below.body, below.algorithm, below.signature)
                except Refused as refused:
                    reason = str(refused)
                    continue
                if root:
                    return
                seen.add((issuer.der, between))
                above.append((issuer, between + (issuer.issuer != issuer.subject)))
        level = above
    raise Refused(f"chain: found none ({reason}), expected one to a trusted root")


def read_stamp(info: Value, imprint: bytes) -> datetime:
    """The time in a TSTInfo (RFC 3161, 2.4.2) over this imprint."""
    fields = Fields(info)
    expect("TSTInfo: version", fields.take(INTEGER).number(), 1)
    fields.take(OID)  # the policy
    stamped = Fields(fields.take(SEQUENCE))
    expect("imprint: hash", read_hash(stamped.take(SEQUENCE)).name, "sha256")
    expect("imprint", stamped.take(OCTETS).content, imprint)
    stamped.end()
    fields.take(INTEGER)  # the serial number
    moment = fields.take(TIME).moment(FRACTION)
    expect(f"genTime: whether {moment} is after 1969", moment.year >= 1970, True)
    if accuracy := fields.perhaps(SEQUENCE):
        parts = Fields(accuracy)
        seconds, *smaller = (parts.perhaps(tag) for tag in (INTEGER, 0x80, 0x81))
        parts.end()
        sound = (not seconds or seconds.number() >= 0) and all(not part or 1 <= part.number() <= 999 for part in smaller)
        expect("accuracy: whether its numbers are in their ranges", sound, True)
    for tag in (BOOLEAN, INTEGER, 0xA0):  # ordering, nonce, the authority's name
        fields.perhaps(tag)
    if extensions := fields.perhaps(0xA1):
        critical = [name for name, (critical, _) in read_extensions(extensions).items() if critical]
        expect("TSTInfo: critical extensions", critical, [])
    fields.end()
    return moment


def read_attributes(signed: Value) -> dict[bytes, Value]:
    """Those that are looked at: each at most once, with one value."""
    attributes: dict[bytes, Value] = {}
    for part in signed.parts:
        fields = Fields(part)
        name, values = fields.take(OID).content, fields.take(SET)
        fields.end()
        if name in (CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2):
            expect(f"whether attribute {name.hex()} is there twice", name in attributes, False)
            attributes[name] = values.only()
    return attributes


def find_signer(attributes: dict[bytes, Value], known: list[Certificate]) -> Certificate:
    """The certificate that the first id in each attribute names by its hash."""
    expect("whether an attribute names a certificate", bool({SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2} & set(attributes)), True)
    for name, hashed in ((SIGNING_CERTIFICATE, "sha1"), (SIGNING_CERTIFICATE_V2, "sha256")):
        if name in attributes:
            fields = Fields(Fields(Fields(attributes[name]).take(SEQUENCE)).take(SEQUENCE))
            if name == SIGNING_CERTIFICATE_V2 and (algorithm := fields.perhaps(SEQUENCE)):
                hashed = read_hash(algorithm).name
            digest = fields.take(OCTETS).content
            known = [one for one in known if hashlib.new(hashed, one.der).digest() == digest]
    expect("whether the signer's certificate is there", bool(known), True)
    return known[0]


def check_signer(info: Fields, content: bytes, digests: list[bytes], known: list[Certificate]) -> Certificate:
    """The certificate by whose key a SignerInfo (RFC 5652, 5.3) signs this content, for time stamps."""
    version, key_id = info.take(INTEGER).number(), info.perhaps(0x80)
    expect("signer: version", version, 3 if key_id else 1)
    name = None if key_id else info.take(SEQUENCE)
    digest = read_hash(algorithm := info.take(SEQUENCE))
    expect("signer: whether its hash is among the token's", read_algorithm(algorithm) in digests, True)
    signed, algorithm, signature = info.take(0xA0), info.take(SEQUENCE), info.take(OCTETS).content
    info.perhaps(0xA1)  # what nobody signed
    info.end()

    attributes = read_attributes(signed)
    digest_found = hashlib.new(digest.name, content).digest()
    for attribute, tag, value in ((CONTENT_TYPE, OID, TST_INFO), (MESSAGE_DIGEST, OCTETS, digest_found)):
        found = attributes.get(attribute)
        expect(f"attribute {attribute.hex()}", found and (found.tag, found.content), (tag, value))
    signer = find_signer(attributes, known)
    if name:
        expect("signer: issuer and serial number", [part.whole for part in name.parts], [signer.issuer, signer.serial])
    if key_id:
        own = signer.extension(KEY_IDENTIFIER)
        expect("signer: key identifier", own and (own.tag, own.content), (OCTETS, key_id.content))
    signer.check_signature(b"\x31" + signed.whole[1:], algorithm, signature, digest)

    expect("signer: whether its purposes are critical", signer.extensions.get(PURPOSES, (False, b""))[0], True)
    expect("signer: purposes", signer.purposes(), [TIME_STAMPING])
    signer.check_usage(DIGITAL_SIGNATURE, NON_REPUDIATION)
    expect("signer: whether it is a CA's", signer.reach() >= 0, False)
    return signer


def check_token(token: bytes, imprint: bytes, trusted: list[Certificate]) -> datetime:
    """When the message with this SHA-256 was there, on the word of an authority that a trusted root vouches for."""
    envelope = Fields(read_value(token))
    expect("token: content type", envelope.take(OID).content, SIGNED_DATA)
    data = Fields(envelope.take(0xA0).only())
    envelope.end()
    expect("token: whether its version is 3, 4 or 5", data.take(INTEGER).number() in (3, 4, 5), True)
    digests = [Fields(part).take(OID).content for part in data.take(SET).parts]
    wrapped = Fields(data.take(SEQUENCE))
    expect("token: type of what is signed", wrapped.take(OID).content, TST_INFO)
    content = Fields(wrapped.take(0xA0), 0xA0).take(OCTETS).content
    wrapped.end()
    certificates, _ = data.perhaps(0xA0), data.perhaps(0xA1)
    signer_info = Fields(data.take(SET).only())
    data.end()

    known = {one.der: one for one in trusted}
    for part in certificates.parts if certificates else []:
        with suppress(Refused):  # what can't be read is nobody's certificate
            known.setdefault(part.whole, Certificate.read(part))
    moment = read_stamp(read_value(content), imprint)
    signer = check_signer(signer_info, content, digests, list(known.values()))
    check_chain(signer, list(known.values()), trusted, moment)
    return moment


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

    def __init__(self, log_key: Key | None, trusted: list[Certificate] | None) -> None:
        self.log_key, self.trusted = log_key, trusted
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
        self.stamped: list[dict[str, Any]] = []  # of the tokens, those that hold

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
            expect("whether there is another", size in self.checkpoints, False)
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
            if self.trusted is not None:
                imprint = hashlib.sha256(self.checkpoints[size].text.encode()).digest()
                moment = check_token(token, imprint, self.trusted)
                self.stamped.append({"size": size, "authority": authority, "time": timestamp(moment)})

    def report(self) -> dict[str, Any]:
        header = {name: self.header.get(name) for name in ("origin", "from", "to", "size")}
        first, last = (timestamp(self.times[0]), timestamp(self.times[-1])) if self.times else (None, None)
        return {"verified": not self.faults, "faults": self.faults, **header, **self.counts,
                "first": first, "last": last, "root": self.root.hex() or None, "stamped": self.stamped}


def timestamp(moment: int | datetime) -> str:
    if isinstance(moment, int):  # milliseconds
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def verify(data: bytes, raw: bool, log_key: Key | None, trusted: list[Certificate] | None) -> dict[str, Any]:
    """Whatever the file holds, the answer is a report."""
    check = Check(log_key, trusted)
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
        trusted = read_certificates(given.tsa_roots.read_bytes()) if given.tsa_roots else None
        report = verify(given.file.read_bytes(), given.raw, log_key, trusted)
    except (Refused, OSError, ValueError) as error:
        parser.error(str(error))
    if given.json:
        print(json.dumps(report))
    elif report["verified"]:
        print("verified: {origin!r}, entries {from} to {to} of {size}, root {root}".format(**report))
        tokens = "tokens, not relied on" if trusted is None else "tokens"
        print("shown: {entries} ({first} to {last}), foreign: {foreign}, payloads: {payloads}, erased: {erased}, "
              "checkpoints: {checkpoints}, {word}: {tokens}".format(word=tokens, **report))
        if report["foreign"]:
            print("foreign: that they are others' is the file's own word")
        for stamp in report["stamped"]:
            print("stamped: {size} entries by {authority!r} at {time}".format(**stamp))
        print("key: known from elsewhere" if log_key else "key: on the file's own word; give the log's with --log-key")
    else:
        print("NOT verified", *report["faults"], sep="\n  ")
    return 0 if report["verified"] else 1


if __name__ == "__main__":
    sys.exit(main())
