"""What held streams have missed: each of their groups has a cursor of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import merge

from sse_components.brokers.base import Broker, Resumption
from sse_components.channels import are_of, tag
from sse_components.events import Event, Position, is_pattern, names_over, pattern_over
from sse_components.requests import UNREADABLE
from sse_components.wire import Vector

EVENTS = 100
"""How many are read for one answer, unless there are more cursors."""
LEAST_EVENTS = 20
"""Of each cursor."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What follows some places, and where that leads."""

    lost: Sequence[str]
    begun: Mapping[str, Position]
    """Where the names are after their resets, and before the events."""
    events: Sequence[Event]
    """Ascending, each once."""
    reached: Mapping[str, Position]
    """Where the names are after the events."""
    more: bool
    """Whether there is more after that."""


class Places:
    """Says where a name is that has nothing more to come.

    It is at its newest event, because the next one will say that it follows that one.
    A name without one is told by a moment at which it had none. That is the same for
    all who ask within some seconds, because the proxy asks once for all that are at
    the same places.
    """

    def __init__(self, seconds: float, memory: float) -> None:
        self._step = max(int(seconds * 1e6), 1)
        self._memory = int(memory * 1e6)
        self._epoch = ""
        self._first = 0
        """The first seq that was read in the epoch: a broker may know none before."""

    def of(self, name: str, read: Resumption) -> Position:
        present = read.present
        if present.epoch != self._epoch:
            self._epoch, self._first = present.epoch, present.seq
        newest = read.newest.get(name, 0)
        # In time, or it would be too old to be asked for when something comes.
        if newest >= present.seq - self._memory // 2:
            return Position(present.epoch, newest)
        if is_pattern(name):  # of what was before it was noted nothing is known
            return present
        rounded = present.seq - present.seq % self._step
        first = min(self._first, present.seq)
        return Position(present.epoch, max(rounded, first, newest))


def heard(names: Sequence[str]) -> list[str]:
    """Return the names, ascending, less those that a pattern among them stands for.

    The proxy doesn't know that an event came by two channels.
    """
    given = set(names)
    return sorted(name for name in given if pattern_over(name) not in given - {name})


def starts(
    cursor: Position | Vector | None, names: Sequence[str], present: Position
) -> dict[str, Position]:
    """Return where each name begins: at the present, if there is no cursor."""
    if cursor is None:
        return dict.fromkeys(names, present)
    if isinstance(cursor, Position):
        return dict.fromkeys(names, cursor)
    known = {
        name: cursor.positions[tag(name)]
        for name in names
        if tag(name) in cursor.positions
    }
    if not are_of(cursor.positions, names):
        return dict.fromkeys(names, UNREADABLE)
    # What joins them has perhaps been heard under another name, or else not at all.
    parts = cursor.positions.values()
    oldest = min(parts, key=lambda position: position.seq, default=UNREADABLE)
    return {name: known.get(name, oldest) for name in names}


def had_elsewhere(
    cursor: Position | Vector | None, names: Sequence[str]
) -> Vector | None:
    """Return a cursor that may say more than where its names are, None for others.

    A stream that has a pattern now may have had the groups below it, or some of them.
    """
    if isinstance(cursor, Vector) and set(cursor.positions) - set(map(tag, names)):
        return cursor
    return None


def _is_had(event: Event, had: Vector) -> bool:
    """Whether a cursor says that an event has come, under whichever name."""
    at = [had.positions.get(tag(name)) for name in names_over(event.group)]
    position = event.position
    return any(
        one and one.epoch == position.epoch and one.seq >= position.seq for one in at
    )


async def read(
    broker: Broker,
    at: Mapping[str, Position],
    places: Places,
    had: Vector | None = None,
) -> Missed:
    """Read what follows some places, but what was had; raises `BrokerUnavailable`."""
    names_at: dict[Position, list[str]] = {}
    for name, position in at.items():
        names_at.setdefault(position, []).append(name)
    limit = max(EVENTS // max(len(names_at), 1), LEAST_EVENTS)
    pages = await asyncio.gather(
        *(broker.resume(place, names, limit) for place, names in names_at.items())
    )
    begun, reached = dict(at), dict(at)
    for names, page in zip(names_at.values(), pages, strict=True):
        for name in names:
            reached[name] = places.of(name, page)
            if name in page.lost:
                begun[name] = reached[name]
            elif page.more:
                reached[name] = page.position
    lost = [name for name in at if any(name in page.lost for page in pages)]
    found = merge(
        *(page.events for page in pages), key=lambda event: event.position.seq
    )
    events = list({event.position: event for event in found}.values())
    if had:
        events = [event for event in events if not _is_had(event, had)]
    return Missed(lost, begun, events, reached, any(page.more for page in pages))
