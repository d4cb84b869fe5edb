"""A group's events that are remembered, as they were on the streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sse_components import runtime, wire
from sse_components.events import Position

EVENTS_PER_READ = 100
ENOUGH = 1024 * 1024
"""Bytes of envelopes after which an answer reads no further."""


@dataclass(frozen=True, slots=True)
class Past:
    events: Sequence[bytes]
    """Their envelopes."""
    reset: bool
    position: Position
    """Where to go on."""
    more: bool = False


async def past(group: str, after: Position | None, limit: int) -> Past:
    """Return events of a group after a cursor; without one, all that are remembered."""
    broker = runtime.publisher()
    events: list[bytes] = []
    cursor, more = after, True
    while more and len(events) < limit and sum(map(len, events)) < ENOUGH:
        most = min(limit - len(events), EVENTS_PER_READ)
        if cursor is None:
            page = await broker.history(group, most)
        else:
            page = await broker.resume(cursor, [group], most)
        if page.lost:
            if cursor is None or not events:
                return Past([], True, page.present)
            break  # forgotten since the last read; who goes on is told
        events += [wire.event(event).json for event in page.events]
        cursor, more = page.position, page.more
    assert cursor is not None  # limit is at least 1
    return Past(events, False, cursor, more)
