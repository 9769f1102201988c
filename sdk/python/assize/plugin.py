"""Makes the class that a component exports of a plugin's function."""

import json
from typing import Any, Callable, Optional

from .case import Case
from .contract import Err, Failure_Internal, Failure_InvalidCase, Failure_InvalidSettings
from .errors import InvalidCase, InvalidSettings

Settings = Optional[Callable[[dict], Any]]


def risk_agent(assess: Callable[[Any, Case], Any], settings: Settings = None) -> type:
    """The class `Assessor` of a risk agent: `Assessor = assize.risk_agent(assess)`.

    `assess(settings, case)` gives an `Assessment`. `settings` makes of the settings' JSON what `assess` gets, and raises
    `ValueError` where it can't work with them; None leaves them a dict.
    """

    class Assessor(_Checked):
        def assess(self, settings: str, subject: Any) -> Any:
            return _told(lambda: assess(self._settings(settings), Case(subject)))

    Assessor.made = staticmethod(settings or _as_they_are)
    return Assessor


def compliance_rule(rule: Callable[[Any, Case, Any], Any], settings: Settings = None) -> type:
    """The class `Adjudicator` of a compliance rule. `rule(settings, case, risk)` gives a `Ruling`."""

    class Adjudicator(_Checked):
        def rule(self, settings: str, subject: Any, risk: Any) -> Any:
            return _told(lambda: rule(self._settings(settings), Case(subject), risk))

    Adjudicator.made = staticmethod(settings or _as_they_are)
    return Adjudicator


def action(plan: Callable[[Any, Case, Any], list], settings: Settings = None) -> type:
    """The class `Planner` of an action. `plan(settings, case, outcome)` gives a list of effects, of the classes of
    `wit_world.exports.planner`, e.g. `Effect_Alert(Alert(Severity.HIGH, "title", "body"))`."""

    class Planner(_Checked):
        def plan(self, settings: str, subject: Any, outcome: Any) -> Any:
            return _told(lambda: plan(self._settings(settings), Case(subject), outcome))

    Planner.made = staticmethod(settings or _as_they_are)
    return Planner


class _Checked:
    """What all kinds share: settings."""

    made: Callable[[dict], Any]

    def validate_settings(self, settings: str) -> None:
        _told(lambda: self._settings(settings))

    def _settings(self, text: str) -> Any:
        try:
            return self.made(json.loads(text))
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidSettings(str(error)) from None


def _as_they_are(settings: dict) -> dict:
    return settings


def _told(answer: Callable[[], Any]) -> Any:
    """Turns an exception into the contract's failure, which names it, rather than a trap, which doesn't."""
    try:
        return answer()
    except InvalidSettings as error:
        raise Err(Failure_InvalidSettings(str(error))) from None
    except InvalidCase as error:
        raise Err(Failure_InvalidCase(str(error))) from None
    except Exception as error:  # noqa: BLE001  (whatever it is, the host must hear of it)
        raise Err(Failure_Internal(f"{type(error).__name__}: {error}")) from None
