import assize


def settings(given: dict) -> dict:
    """Makes of the settings' JSON what `assess` gets; a ValueError refuses them when they are set."""
    if "" in given.get("words", []):
        raise ValueError("words: an empty word")
    return given


def assess(settings: dict, case: assize.Case) -> assize.Assessment:
    findings = []
    for text in case.texts():
        for word in settings.get("words", []):
            start = text.find(word)
            if start >= 0:
                evidence = [text.at(start, start + len(word))]
                findings.append(assize.Finding("WORD", assize.Severity.LOW, f"the word `{word}`", 2.0, evidence))
    return assize.assessment(findings, confidence=0.9)


Assessor = assize.risk_agent(assess, settings)
