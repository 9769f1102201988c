"""The case under judgment, with its JSON parsed when first asked for."""

import json
from functools import cached_property
from typing import Any, Iterator, Optional

from .contract import Evidence, Span, WireCase
from .errors import InvalidCase


class Text(str):
    """A string of the payload that knows where it stands (`pointer`, RFC 6901).

    It is a `str`: search it as you like. `at` makes evidence of what was found, from Python's offsets (code points) to
    the contract's (bytes of UTF-8).
    """

    pointer: str

    def __new__(cls, text: str, pointer: str) -> "Text":
        made = super().__new__(cls, text)
        made.pointer = pointer
        return made

    def at(self, start: int, end: int) -> Evidence:
        """Evidence for `self[start:end]`. With a match of `re`: `text.at(*match.span())`."""
        before = len(self[:start].encode())
        return Evidence(self.pointer, Span(before, before + len(self[start:end].encode())))

    def whole(self) -> Evidence:
        """Evidence for all of it."""
        return Evidence(self.pointer, None)


class Case:
    """What is judged. `payload` and `context` are parsed JSON; the plain facts (`kind`, `action`, `jurisdictions`,
    `occurred_at`: milliseconds since 1970, UTC, …) are attributes as in the contract."""

    def __init__(self, wire: WireCase) -> None:
        self.wire = wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wire, name)

    @cached_property
    def payload(self) -> Any:
        """The payload as Python values."""
        return _parsed(self.wire.payload, "payload")

    @cached_property
    def context(self) -> Any:
        """What the host added before judging, as Python values."""
        return _parsed(self.wire.context, "context")

    @property
    def registered_system(self) -> Optional[dict]:
        """What the host knows of the AI system that the case comes from. None: the case names none."""
        return self.context.get("system") if isinstance(self.context, dict) else None

    def is_in(self, code: str) -> bool:
        """Whether the case lists the jurisdiction `code`, e.g. `EU`."""
        return code in self.wire.jurisdictions

    def texts(self) -> list[Text]:
        """All strings of the payload (values, not keys), in the order in which they stand."""
        return list(_texts(self.payload, ""))


def _parsed(text: str, part: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidCase(f"the case's {part} can't be read: {error}") from None


def _texts(value: Any, pointer: str) -> Iterator[Text]:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidCase(f"the string at {pointer!r} has a lone surrogate, which is no text") from None
        yield Text(value, pointer)
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(member, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{pointer}/{index}")
