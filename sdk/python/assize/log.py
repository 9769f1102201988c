"""Lines for the plugin's author. The host bounds them and keeps them with the decision; tests print them."""

from . import contract  # noqa: F401  (makes the bindings importable)
from wit_world.imports import log as _wire


def _write(level: "_wire.Level", message: str) -> None:
    try:
        _wire.log(level, message)
    except NotImplementedError:  # no host: a test
        print(f"{level.name.lower()}: {message}")


def debug(message: str) -> None:
    _write(_wire.Level.DEBUG, message)


def info(message: str) -> None:
    _write(_wire.Level.INFO, message)


def warn(message: str) -> None:
    _write(_wire.Level.WARN, message)


def error(message: str) -> None:
    _write(_wire.Level.ERROR, message)
