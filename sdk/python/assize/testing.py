"""Runs a plugin's fixtures on your machine, without a host: the files `fixtures/*.json` beside it.

In a test:        assize.testing.check(app.Assessor, "fixtures")
On the terminal:  python -m assize.testing app fixtures

What a fixture may say stands in the README of the Rust kit; all kits read the same files.
"""

import importlib
import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from . import contract
from .contract import Assessment, Err, Finding, Judgment, Opinion, Risk, Ruling, Severity, Verdict, WireCase

_CASE = {
    "kind": "prompt", "system": None, "environment": "production", "jurisdictions": [], "sector": None, "actor": None,
    "action": None, "resource": None, "occurred_at": "2026-01-01T00:00:00Z", "rules_as_of": None, "payload": {},
    "context": {},
}  # fmt: skip
_EXPECT = {
    "score_min": None, "score_max": None, "verdict": None, "codes": [], "not_codes": [], "spans": [], "effects": None,
    "failure": None,
}  # fmt: skip


def case(**members: Any) -> WireCase:
    """A case as it crosses the boundary; what is left out has a default. `payload` and `context` are Python values."""
    given = _known(members, _CASE, "case")
    occurred_at = _milliseconds(given.pop("occurred_at"))
    rules_as_of = given.pop("rules_as_of")
    given["rules_as_of"] = _milliseconds(rules_as_of) if rules_as_of else occurred_at
    given["payload"], given["context"] = _json(given["payload"]), _json(given["context"])
    return WireCase(id="00000000-0000-7000-8000-000000000000", tenant="fixtures", occurred_at=occurred_at, **given)


def check(plugin: type, folder: str) -> None:
    """Runs all fixtures of a folder; raises `AssertionError` with every one that doesn't hold, and where there is none."""
    paths = sorted(Path(folder).glob("*.json"))
    assert paths, f"{folder} holds no fixtures"
    complaints = [f"{path}: {wrong}" for path in paths for wrong in _differences(plugin, path)]
    assert not complaints, "fixtures that don't hold:\n" + "\n".join(complaints)


def _differences(plugin: type, path: Path) -> list[str]:
    fixture = json.loads(path.read_text(encoding="utf-8"))
    fixture = _known(fixture, {"name": "", "settings": {}, "case": {}, "risk": None, "outcome": None, "expect": {}}, "fixture")
    expect = _known(fixture["expect"], _EXPECT, "expect")
    try:
        seen = _judge(plugin(), fixture)
    except Err as failure:
        told = f"{type(failure.value).__name__.removeprefix('Failure_')}: {failure.value.value}"
        refusal: Optional[str] = expect["failure"]
        return [] if refusal is not None and refusal in told else [told]
    if expect["failure"] is not None:
        return [f"expected a failure with `{expect['failure']}`, got an answer"]
    wrong = []
    codes = [finding.code for finding in seen["findings"]]
    if expect["score_min"] is not None and not seen["score"] >= expect["score_min"]:
        wrong.append(f"score {seen['score']} is below {expect['score_min']} ({codes})")
    if expect["score_max"] is not None and not seen["score"] <= expect["score_max"]:
        wrong.append(f"score {seen['score']} is above {expect['score_max']} ({codes})")
    if expect["verdict"] is not None and expect["verdict"] != seen["verdict"]:
        wrong.append(f"verdict {seen['verdict']}, expected {expect['verdict']} ({codes})")
    wrong += [f"no finding {code} among {codes}" for code in expect["codes"] if code not in codes]
    wrong += [f"unwanted finding {code}" for code in expect["not_codes"] if code in codes]
    for span in expect["spans"]:
        covered = _covered(fixture, seen["findings"], span["code"], span["pointer"])
        if span["text"] not in covered:
            wrong.append(f"{span['code']} at {span['pointer']} covers {covered}, expected {span['text']!r}")
    if expect["effects"] is not None and expect["effects"] != seen["effects"]:
        wrong.append(f"effects {seen['effects']}, expected {expect['effects']}")
    return wrong


def _judge(plugin: Any, fixture: dict) -> dict:
    settings, subject = _json(fixture["settings"]), case(**fixture["case"])
    plugin.validate_settings(settings)
    seen: dict[str, Any] = {"score": None, "verdict": None, "effects": None, "findings": []}
    if hasattr(plugin, "assess"):
        answer: Assessment = plugin.assess(settings, subject)
        assert 0 <= answer.score <= 10 and 0 <= answer.confidence <= 1, f"{answer.score} or {answer.confidence} is out of range"
        json.loads(answer.attributes)
        seen.update(score=answer.score, findings=answer.findings)
    elif hasattr(plugin, "rule"):
        ruling: Ruling = plugin.rule(settings, subject, _risk(fixture["risk"] or {}))
        # The ruling's own code counts among the codes.
        own = Finding(ruling.code, Severity.INFO, "", 0.0, [], None)
        seen.update(verdict=ruling.verdict.name.lower(), findings=[*ruling.findings, own])
    else:
        effects = plugin.plan(settings, subject, _outcome(fixture["outcome"]))
        seen.update(effects=[_kebab(type(effect).__name__.removeprefix("Effect_")) for effect in effects])
    return seen


def _covered(fixture: dict, findings: list[Finding], code: str, pointer: str) -> list[str]:
    """What of the payload's string at `pointer` the evidence of findings with `code` covers."""
    value: Any = fixture["case"].get("payload", {})
    for name in pointer.split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    text = value.encode()
    evidence = [evidence for finding in findings if finding.code == code for evidence in finding.evidence]
    spans = [evidence.span for evidence in evidence if evidence.pointer == pointer]
    return [text[span.start : span.end].decode() if span else value for span in spans]


def _risk(given: dict) -> Risk:
    def opinion(one: dict) -> Opinion:
        told = one["assessment"]
        findings = [_finding(finding) for finding in told.get("findings", [])]
        assessment = Assessment(told["score"], told["confidence"], findings, told.get("attributes", "{}"))
        return Opinion(one["binding"], one["plugin"], one["version"], one["weight"], assessment)

    return Risk(given.get("score", 0.0), given.get("confidence", 1.0), [opinion(one) for one in given.get("opinions", [])])


def _outcome(given: dict) -> Any:
    from wit_world.exports.planner import Outcome

    def judgment(one: dict) -> Judgment:
        told = one["ruling"]
        findings = [_finding(finding) for finding in told.get("findings", [])]
        ruling = Ruling(Verdict[told["verdict"].upper()], told["code"], findings)
        return Judgment(one["binding"], one["plugin"], one["version"], ruling)

    judgments = [judgment(one) for one in given.get("judgments", [])]
    return Outcome(Verdict[given["verdict"].upper()], given["reason"], _risk(given["risk"]), judgments)


def _finding(given: dict) -> Finding:
    def evidence(one: dict) -> contract.Evidence:
        span = one.get("span")
        return contract.Evidence(one["pointer"], contract.Span(span["start"], span["end"]) if span else None)

    severity = Severity[given["severity"].upper()]
    told = [evidence(one) for one in given.get("evidence", [])]
    return Finding(given["code"], severity, given["message"], given.get("contribution", 0.0), told, given.get("citation"))


def _known(given: dict, defaults: dict, what: str) -> dict:
    unknown = set(given) - set(defaults)
    assert not unknown, f"{what} has unknown members: {', '.join(sorted(unknown))}"
    return {**defaults, **given}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(timezone.utc).timestamp() * 1000)


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


def _main() -> int:
    if len(sys.argv) != 3:
        print("usage: python -m assize.testing MODULE FIXTURES", file=sys.stderr)
        return 2
    sys.path.insert(0, ".")
    module = importlib.import_module(sys.argv[1])
    plugin = next((getattr(module, name) for name in ("Assessor", "Adjudicator", "Planner") if hasattr(module, name)), None)
    if plugin is None:
        print(f"{sys.argv[1]} has none of Assessor, Adjudicator, Planner", file=sys.stderr)
        return 2
    try:
        check(plugin, sys.argv[2])
    except AssertionError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"all fixtures in {sys.argv[2]} hold")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
