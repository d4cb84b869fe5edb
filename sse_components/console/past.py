"""What the logbook says, read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sse_components import runtime
from sse_components.brokers.base import Broker
from sse_components.events import Event, Position
from sse_components.logbook.names import PROCESSES, log_of, process_log, trace_of
from sse_components.logbook.statements import (
    Connection,
    Deliveries,
    Process,
    Progress,
)
from sse_components.waiting import wait_for

SILENT_SECONDS: Final = 5
"""After which a process that says nothing isn't there any more."""
MOST: Final = 1000
"""Events of a group that are read at a time."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A frame that a connection was handed while its user was traced."""

    at: float
    """Seconds since 1970."""
    id: str | None
    type: str
    group: str | None
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Past:
    """A connection as the logbook knows it."""

    now: Connection
    """What was said of it last."""
    told: Sequence[Connection]
    """All that was said of it, the oldest first."""
    deliveries: Sequence[Delivered]
    is_open: bool
    """Whether it isn't said to have ended, and its process is still there."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far the connections of a process were at a moment."""

    when: float
    """Seconds since 1970."""
    at: Position
    behind: Mapping[str, int]
    is_certain: bool
    """Whether all that were behind are listed, and nothing new is unsaid."""

    def reached(self, connection: str) -> int:
        """Return the seq up to which a connection had everything."""
        return self.behind.get(connection, self.at.seq)


def processes() -> Sequence[Process]:
    """Return what each process that serves streams has said last, by name.

    Raises `BrokerUnavailable`.
    """
    return wait_for(living, runtime.publisher())


def connections_of(user: str | None) -> Sequence[Past]:
    """Return the connections of a user, or of all who aren't logged in, newest first.

    Those that ended longer than `HISTORY_SECONDS` ago are forgotten. Raises
    `BrokerUnavailable`.
    """
    return wait_for(pasts, runtime.publisher(), user)


async def living(broker: Broker) -> Sequence[Process]:
    """Return what each process has said in the last seconds."""
    present = await broker.position()
    since = Position(present.epoch, max(0, present.seq - int(SILENT_SECONDS * 1e6)))
    found = await broker.resume(since, [PROCESSES], MOST)
    events: Iterable[Event] = found.events
    if found.lost:  # of a memory that is younger, or of very many processes
        events = await history(broker, PROCESSES)
        events = [one for one in events if one.position.seq > since.seq]
    latest = {said.process: said for said in map(Process.read, events) if said}
    return sorted(latest.values(), key=lambda one: one.name)


async def pasts(broker: Broker, user: str | None) -> Sequence[Past]:
    """Return the connections of a user, newest first."""
    alive = {one.process for one in await living(broker)}
    told: dict[str, list[Connection]] = {}
    for event in await history(broker, log_of(user)):
        if said := Connection.read(event):
            told.setdefault(said.connection, []).append(said)
    delivered = {} if user is None else await _delivered(broker, user)
    found = []
    for name, several in told.items():
        # What was late to be said comes after what is newer, if the broker was away.
        ordered = sorted(several, key=lambda one: one.when)
        now = ordered[-1]
        is_open = now.ended is None and now.process in alive
        found.append(Past(now, ordered, delivered.get(name, ()), is_open))
    return sorted(found, key=lambda one: one.now.opened, reverse=True)


async def _delivered(broker: Broker, user: str) -> Mapping[str, list[Delivered]]:
    delivered: dict[str, list[Delivered]] = {}
    for event in await history(broker, trace_of(user)):
        if said := Deliveries.read(event):
            lines = (Delivered(*one) for one in said.deliveries)
            delivered.setdefault(said.connection, []).extend(lines)
    return delivered


async def reach(broker: Broker, user: str) -> float:
    """Return since when the log of a user is whole, in seconds since 1970.

    It is kept as long as any group's history, and has as many events.
    """
    settings, present = runtime.settings(), await broker.position()
    kept = present.seq / 1e6 - settings.history_seconds
    events = list(await history(broker, log_of(user)))
    if settings.history_size > len(events):
        return kept
    return max(kept, events[0].position.seq / 1e6) if events else present.seq / 1e6


async def steps(broker: Broker, process: str) -> Sequence[Step]:
    """Return how far the connections of a process were, second by second."""
    return [
        Step(
            said.when,
            _position(said.at),
            said.behind,
            said.more_behind == 0 and said.untold == 0,
        )
        for event in await history(broker, process_log(process))
        if (said := Progress.read(event))
    ]


async def history(broker: Broker, group: str) -> Iterable[Event]:
    """Return all events of a group that are kept, the oldest first."""
    page = await broker.history(group, MOST)
    events = [*page.events]
    while page.more:
        page = await broker.resume(page.position, [group], MOST)
        events += page.events
    return events


def _position(text: str) -> Position:
    epoch, _, seq = text.partition(":")
    return Position(epoch, int(seq))
