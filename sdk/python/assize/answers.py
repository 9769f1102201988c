"""Answers, in few words."""

import json
from typing import Any, Iterable, Optional, Sequence

from . import contract
from .contract import Assessment, Evidence, Ruling, Severity, Verdict


class Finding(contract.Finding):
    """One reason for a score or a ruling, in words that a court can read.

    `code` is stable: people filter by it, and records keep it for ever. `points` is its share of the score. `citation`
    names the norm behind it, e.g. `Regulation (EU) 2024/1689, Art. 5(1)(a)`.
    """

    def __init__(
        self,
        code: str,
        severity: Severity,
        message: str,
        points: float = 0.0,
        evidence: Iterable[Evidence] = (),
        citation: Optional[str] = None,
    ) -> None:
        super().__init__(code, severity, message, float(points), list(evidence), citation)


def assessment(findings: Sequence[contract.Finding], confidence: float, attributes: Optional[dict[str, Any]] = None) -> Assessment:
    """An assessment whose score is the sum of what its findings contribute, held within 0 to 10."""
    score = 0.0
    for finding in findings:
        score += finding.contribution
    text = json.dumps(attributes or {}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Assessment(min(max(score, 0.0), 10.0), float(confidence), list(findings), text)


def ruling(verdict: Verdict, code: str, findings: Sequence[contract.Finding] = ()) -> Ruling:
    """A ruling with its reasons."""
    return Ruling(verdict, code, list(findings))


def allow(code: str) -> Ruling:
    """Nothing in the case that this rule objects to."""
    return ruling(Verdict.ALLOW, code)
