"""Whose a held stream is, in the name of a channel that nothing is published to.

The proxy comes back without the cookie and the query that the stream was opened with.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.core import signing

from sse_components.channels import PREFIX, group_of
from sse_components.edge.holds import position_of
from sse_components.errors import InvalidCursor
from sse_components.events import Position
from sse_components.revocations import Whose
from sse_components.wire import Vector, parse_cursor, parse_position

SALT: Final = "sse_components.ticket"
FURTHER: Final = "sse_components.further"
FURTHER_MINUTES: Final = 2
"""How long it may be gone on with: the proxy does so at once."""
CHANNEL: Final = f"{PREFIX}."
"""No group begins with a dot."""


class Unreadable(Exception):
    """It isn't ours, or was made with a key that isn't ours any more."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who a stream was opened for, and until when that was decided."""

    whose: Whose
    until: int
    """In seconds since 1970."""

    @property
    def channel(self) -> str:
        """The channel that brings it back."""
        content = {
            "p": str(self.whose.position),
            "u": self.whose.user,
            "b": self.whose.browser,
            "s": self.whose.session,
            "o": sorted(self.whose.others),
            "e": self.until,
        }
        return CHANNEL + _signer(SALT).sign_object(content, compress=True)

    @property
    def is_over(self) -> bool:
        return self.until <= time.time()


def read(channel: str) -> Ticket:
    """Return the ticket of a channel; raises `Unreadable`."""
    try:
        content = _signer(SALT).unsign_object(channel.removeprefix(CHANNEL))
        whose = Whose(
            parse_position(content["p"]),
            user=content["u"],
            browser=content["b"],
            session=content["s"],
            others=frozenset(content["o"]),
        )
    except (signing.BadSignature, InvalidCursor):
        raise Unreadable from None
    return Ticket(whose, content["e"])


def place(channel: str, id: str) -> tuple[str, Position]:
    """Return the name that a channel is of, and where it is; raises `Unreadable`."""
    name = group_of(channel)
    if name is None:
        raise Unreadable
    try:
        return name, position_of(id)
    except InvalidCursor:
        raise Unreadable from None


@dataclass(frozen=True, slots=True)
class Further:
    """Where a stream goes on whose answer didn't hold all that it has missed."""

    places: Mapping[str, Position]
    ticket: str
    """Its channel, "" if there is none."""
    is_opening: bool = False
    """Whether it has not had yet all that it was to have when it opened."""
    had: Vector | None = None
    """What it has had under other names."""

    @property
    def text(self) -> str:
        """The end of an address: the proxy shares what has an equal path."""
        content = {
            "p": {name: str(position) for name, position in self.places.items()},
            "t": self.ticket,
            "o": int(self.is_opening),
            "h": str(self.had or ""),
            "m": _minute(),
        }
        return _signer(FURTHER).sign_object(content, compress=True)


def read_further(text: str) -> Further:
    """Return what the end of an address says; raises `Unreadable`."""
    try:
        content = _signer(FURTHER).unsign_object(text)
        places = {name: parse_position(id) for name, id in content["p"].items()}
        had = parse_cursor(content["h"]) if content["h"] else None
    except (signing.BadSignature, InvalidCursor):
        raise Unreadable from None
    if not 0 <= _minute() - content["m"] <= FURTHER_MINUTES:
        raise Unreadable
    assert not isinstance(had, Position)  # it was made here
    return Further(places, content["t"], bool(content["o"]), had)


def _minute() -> int:
    """Return the present coarsely: streams at one place are to be told the same."""
    return int(time.time() // 60)


def _signer(salt: str) -> signing.Signer:
    # A colon would be cut off by some who read the header.
    return signing.Signer(salt=salt, sep=".")
