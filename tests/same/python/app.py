"""The agent that is written in every language, in Python: what it does stands in ../README.md."""

import os
import random
import socket
import string
import sys
import time
import uuid

import assize

FOLDED = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
MOST_PLACES = 20


def settings(given: dict) -> dict:
    for phrase in given.get("phrases", []):
        if not phrase["phrase"]:
            raise ValueError("phrases: an empty phrase")
    return given


def places(text: str, wanted: str) -> list[int]:
    found, start = [], text.find(wanted)
    while start >= 0:
        found.append(start)
        start = text.find(wanted, start + len(wanted))
    return found


def assess(settings: dict, case: assize.Case) -> assize.Assessment:
    texts = case.texts()
    # As many characters, and as many bytes.
    folded = [text.translate(FOLDED) for text in texts]
    findings = []
    for phrase in settings.get("phrases", []):
        wanted = phrase["phrase"].translate(FOLDED)
        for text, within in zip(texts, folded):
            found = places(within, wanted)
            if found:
                message = f'"{phrase["phrase"]}" stands here {len(found)} times'
                evidence = [text.at(start, start + len(wanted)) for start in found[:MOST_PLACES]]
                points = phrase["points"] * len(found)
                findings.append(assize.Finding(phrase["code"], assize.Severity.LOW, message, points, evidence))
    attributes = {"bytes": sum(len(text.encode()) for text in texts), "texts": len(texts)}
    if settings.get("world"):
        attributes |= world()
    return assize.assessment(findings, 0.75, attributes)


def world() -> dict:
    print("a line on standard output")
    assize.info("a line in the log")
    return {
        "milliseconds": int(time.time() * 1000),
        "monotonic": time.monotonic(),
        "random": random.random(),
        "uuid": str(uuid.uuid4()),
        "urandom": os.urandom(4).hex(),
        "hash": hash("text"),
        "environment": len(os.environ),
        "arguments": len(sys.argv),
        "file": refused(lambda: open("/etc/passwd")),
        "written": refused(lambda: open("/tmp/x", "w")),
        "folder": refused(lambda: os.listdir("/")),
        "tcp": refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
        "udp": refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        "name": refused(lambda: socket.getaddrinfo("example.org", 80)),
        "process": refused(lambda: os.system("true") if hasattr(os, "system") else exec("raise OSError")),
    }


def refused(attempt) -> str:
    """How it is refused, or what came of it."""
    try:
        return f"allowed: {attempt()}"
    except Exception as error:  # noqa: BLE001
        return type(error).__name__


Assessor = assize.risk_agent(assess, settings)
