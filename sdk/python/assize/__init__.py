"""Write an Assize plugin in Python: one function and a manifest.

A plugin is a pure function of its settings and a case. This package gives that function its types, makes the class that
`componentize-py` exports, and runs fixtures on your machine (`assize.testing`).

    import assize

    def assess(settings: dict, case: assize.Case) -> assize.Assessment:
        findings = []
        for text in case.texts():
            for word in settings.get("words", []):
                start = text.find(word)
                if start >= 0:
                    findings.append(assize.Finding("WORD", assize.Severity.LOW, f"the word `{word}`", 2.0,
                                                   [text.at(start, start + len(word))]))
        return assize.assessment(findings, confidence=0.9)

    Assessor = assize.risk_agent(assess)
"""

from .case import Case, Text
from .contract import Assessment, Evidence, Judgment, Opinion, Risk, Ruling, Severity, Span, Verdict
from .contract import Finding as WireFinding
from .log import debug, error, info, warn
from .errors import InvalidCase, InvalidSettings
from .plugin import action, compliance_rule, risk_agent
from .answers import Finding, allow, assessment, ruling

__all__ = [
    "Assessment", "Case", "Evidence", "Finding", "InvalidCase", "InvalidSettings", "Judgment", "Opinion", "Risk",
    "Ruling", "Severity", "Span", "Text", "Verdict", "WireFinding", "action", "allow", "assessment", "compliance_rule",
    "debug", "error", "info", "risk_agent", "ruling", "warn",
]
