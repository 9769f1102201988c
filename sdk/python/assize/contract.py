"""The contract's types: those that `componentize-py` generates inside a component, elsewhere the copy shipped here.

Both are made from the same WIT by the same program (`generate.sh`), so that a plugin's tests see what the host will.
"""

import sys
from pathlib import Path

try:
    import wit_world
except ImportError:
    sys.path.append(str(Path(__file__).parent / "bindings"))
    import wit_world  # noqa: F401

from componentize_py_types import Err
from wit_world.imports.types import (
    Assessment,
    Evidence,
    Failure_Internal,
    Failure_InvalidCase,
    Failure_InvalidSettings,
    Finding,
    Judgment,
    Opinion,
    Risk,
    Ruling,
    Severity,
    Span,
    Verdict,
)
from wit_world.imports.types import Case as WireCase

__all__ = [
    "Assessment", "Err", "Evidence", "Failure_Internal", "Failure_InvalidCase", "Failure_InvalidSettings", "Finding",
    "Judgment", "Opinion", "Risk", "Ruling", "Severity", "Span", "Verdict", "WireCase",
]
