"""What is published: events, positions, names of groups. No I/O, no Django."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from sse_components.errors import (
    InvalidEvent,
    InvalidGroup,
    InvalidPayload,
    PayloadTooLarge,
)

MAX_NAME = 200
"""Characters in the name of a group, a pattern, an event's type."""

MAX_KEY = 100
"""Characters of a key in a name or an id."""

MAX_PAYLOAD = 64 * 1024
"""Bytes of an event's payload as JSON."""

MAX_SEQ = 2**53 - 1
"""The largest seq: beyond it JavaScript's numbers lose integers."""

_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_PATTERN_GROUP = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.\*")
_PATTERN = re.compile(
    r"\*\*|(?:(?:[A-Za-z0-9_-]+|\*)\.)*(?:[A-Za-z0-9_-]+|\*|\*\*)",
)
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_HASHED = re.compile(r"h-[A-Za-z0-9_-]{22}")
_SENDER = re.compile(r"[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}")
_FORGES_FIELDS = re.compile(r"[\r\n\0]")  # CWE-93: ends a line of the stream
_RESERVED_TYPE = re.compile(r"stream-|keep-alive|component\.|presence\.")
_EVENT_SOURCES_OWN = {"error", "open"}  # it fires these itself, at trouble and success
_1970 = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(seq: int) -> datetime:
    """Return a seq as a moment, in UTC."""
    return _1970 + timedelta(microseconds=seq)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in what a broker has published; as text it is an event's id.

    `seq` grows with every event and is about the microseconds since 1970. `epoch`
    is new whenever the broker lost its memory: a seq alone would let a client that
    had seen 3 of a lost history take the new 4 for its successor.
    """

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"

    @property
    def time(self) -> datetime:
        """The seq as a moment, in UTC."""
        return time_of(self.seq)


NOWHERE = Position("0", 0)
"""Before everything, for who can't tell: as a cursor it resets all groups."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a publisher hands to a broker: an event that has no position yet.

    `payload` is JSON, one line of UTF-8, as `wire.dumps` makes it. `sender` is the
    tab and the request that caused the event, `tab.request`.

    Raises `InvalidGroup`, `InvalidEvent` or `PayloadTooLarge`.
    """

    group: str
    type: str
    payload: bytes
    sender: str | None = None

    def __post_init__(self) -> None:
        check_group(self.group)
        check_text("An event's type", self.type)
        if self.sender is not None and not is_sender(self.sender):
            raise InvalidEvent(
                f"{_shown(self.sender)} is not a sender: a tab and a request, "
                "tab.request, each up to 64 letters, digits, - and _."
            )
        if b"\n" in self.payload or b"\r" in self.payload:  # CWE-93
            raise InvalidPayload("A payload is one line of JSON.")
        if len(self.payload) > MAX_PAYLOAD:
            raise PayloadTooLarge(
                f"The payload is {len(self.payload)} bytes of JSON, "
                f"and an event carries at most {MAX_PAYLOAD}."
            )


@dataclass(frozen=True, slots=True)
class Event:
    """One thing published to a group."""

    position: Position
    group: str
    type: str
    payload: bytes
    sender: str | None = None


class DataChanged(TypedDict):
    """Payload of `component.data_changed`."""

    data: dict[str, Any]
    update: bool


class RowChanged(DataChanged):
    """Payload of `component.data_changed` from a reactive model."""

    model: str
    """Which one's row it is, `app_label.model_name`."""


class Created(TypedDict):
    """Payload of `component.created`."""

    data: dict[str, Any]
    component_id: str | None
    target_group: str | None


class Removed(TypedDict):
    """Payload of `component.removed`."""

    component_id: str | None
    key: str | None
    target_group: str | None


class Notify(TypedDict):
    """Payload of `notify`."""

    event_name: str
    data: dict[str, Any]


def check_group(name: object) -> str:
    """Return the name if events can be published to it; raise `InvalidGroup`."""
    if not _fullmatch(_NAME, name):
        if _fullmatch(_PATTERN_GROUP, name):
            raise InvalidGroup(
                f"{name!r} is a pattern: it can be subscribed to, not published to."
            )
        raise InvalidGroup(
            f"{_shown(name)} is not a group: segments of letters, digits, - and _, "
            f"joined by dots, at most {MAX_NAME} characters."
        )
    return str(name)


def is_subscribable(name: object) -> bool:
    """Whether a name is that of a group or of a pattern group, `prefix.*`."""
    return _fullmatch(_NAME, name) or _fullmatch(_PATTERN_GROUP, name)


def check_subscribable(name: object) -> str:
    """Return the name if it can be subscribed to; raise `InvalidGroup`."""
    return str(name) if is_subscribable(name) else check_group(name)


def is_pattern(name: str) -> bool:
    """Whether a subscribable name is that of a pattern group."""
    return name.endswith(".*")


def pattern_over(group: str) -> str | None:
    """Return the one pattern group over a group, `demo.todo.*` over `demo.todo.7`."""
    parent, dot, _ = group.rpartition(".")
    return f"{parent}.*" if dot else None


def names_over(group: str) -> Sequence[str]:
    """Return the names under which an event of a group is heard."""
    pattern = pattern_over(group)
    return (group,) if pattern is None else (group, pattern)


def segment(value: object) -> str:
    """Return a primary key as one segment of a name.

    What can't be one stands as its hash; so does what looks like the hash of another.
    """
    text = str(value)
    return hashed(text) if is_hashed(text) else component_key(text)


def component_key(value: object) -> str:
    """Return a key as it stands in a component's id; one that stands there stays."""
    text = str(value)
    is_short = len(text) <= MAX_KEY and _SEGMENT.fullmatch(text)
    return text if is_short else hashed(text)


def hashed(text: str) -> str:
    """Return a segment that stands for a text, which can't be read from it."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return f"h-{urlsafe_b64encode(digest).decode()[:22]}"


def is_hashed(text: str) -> bool:
    """Whether a text looks like what `hashed` returns."""
    return _HASHED.fullmatch(text) is not None


def check_pattern(pattern: object) -> str:
    """Return a pattern of settings, keys and revocations; raise `InvalidGroup`."""
    if not _fullmatch(_PATTERN, pattern):
        raise InvalidGroup(
            f"{_shown(pattern)} is not a pattern: segments as in a group's name, "
            "where * is exactly one segment and a last ** one or more."
        )
    return str(pattern)


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern covers all that a subscription to a name would deliver.

    `*` is exactly one segment and a last `**` one or more. A pattern group is
    covered by what covers every group it matches: `news.*` by `news.*`, not by
    `news.local`.
    """
    pairs = _aligned(pattern, name)
    return pairs is not None and all(want in ("*", have) for want, have in pairs)


def overlaps(pattern: str, name: str) -> bool:
    """Whether a pattern covers anything that a subscription to a name would deliver."""
    pairs = _aligned(pattern, name)
    return pairs is not None and all(
        want == have or "*" in (want, have) for want, have in pairs
    )


def _aligned(pattern: str, name: str) -> list[tuple[str, str]] | None:
    """Return the segments that a pattern and a name have to agree in."""
    wanted, given = pattern.split("."), name.split(".")
    if wanted[-1] == "**":
        wanted.pop()
        if len(given) <= len(wanted):
            return None
        given = given[: len(wanted)]
    if len(wanted) != len(given):
        return None
    return list(zip(wanted, given, strict=True))


def check_text(what: str, text: object) -> str:
    """Return an event's type or name: text that can't forge a field of the stream."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_NAME:
        raise InvalidEvent(f"{what} is a text of 1 to {MAX_NAME} characters.")
    if _FORGES_FIELDS.search(text):
        raise InvalidEvent(f"{what} can't hold CR, LF or NUL: {_shown(text)}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidEvent(f"{what} is not Unicode text: {_shown(text)}.") from error
    return text


def is_sender(text: object) -> bool:
    """Whether a text is a tab and a request, `tab.request`."""
    return _fullmatch(_SENDER, text)


def check_own_type(type: object) -> str:
    """Return a type that may be sent by hand, because nobody else speaks for it."""
    text = check_text("An event's type", type)
    if _RESERVED_TYPE.match(text) or text in _EVENT_SOURCES_OWN:
        raise InvalidEvent(
            f"{_shown(text)} can't be sent by hand: types that begin with stream-, "
            "keep-alive, component. or presence. belong to the library, error and "
            "open to EventSource."
        )
    return text


def _fullmatch(expression: re.Pattern[str], text: object) -> bool:
    return (
        isinstance(text, str)
        and len(text) <= MAX_NAME
        and expression.fullmatch(text) is not None
    )


def _shown(value: object) -> str:
    """A culprit for an error message, not longer than a line."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
