import assize


def settings(given: dict) -> dict:
    """Makes of the settings' JSON what `rule` gets; a ValueError refuses them when they are set."""
    if "" in given.get("words", []):
        raise ValueError("words: an empty word")
    return given


def rule(settings: dict, case: assize.Case, risk: assize.Risk) -> assize.Ruling:
    findings = []
    for text in case.texts():
        for word in settings.get("words", []):
            start = text.find(word)
            if start >= 0:
                evidence = [text.at(start, start + len(word))]
                findings.append(assize.Finding("WORD", assize.Severity.HIGH, f"the word `{word}`", evidence=evidence))
    if not findings:
        return assize.allow("NO_LISTED_WORD")
    return assize.ruling(assize.Verdict.REVIEW, "LISTED_WORD", findings)


Adjudicator = assize.compliance_rule(rule, settings)
