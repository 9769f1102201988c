import assize
from wit_world.exports.planner import Alert, Effect, Effect_Alert, Outcome


def settings(given: dict) -> dict:
    """Makes of the settings' JSON what `plan` gets; a ValueError refuses them when they are set."""
    if not given["title"]:
        raise ValueError("title: it is empty")
    return given


def plan(settings: dict, case: assize.Case, outcome: Outcome) -> list[Effect]:
    if outcome.verdict not in (assize.Verdict.REVIEW, assize.Verdict.BLOCK):
        return []
    body = f"{outcome.verdict.name} of a case of kind {case.kind}: {outcome.reason}"
    return [Effect_Alert(Alert(assize.Severity.HIGH, settings["title"], body))]


Planner = assize.action(plan, settings)
