"""How far connections are now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sse_components import runtime
from sse_components.brokers.base import Broker
from sse_components.console.past import SILENT_SECONDS
from sse_components.events import Position
from sse_components.logbook.names import process_log
from sse_components.logbook.statements import Progress
from sse_components.waiting import wait_for

_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a connection is."""

    behind: float
    """Seconds between what it has and what its process has; 0 if it has all."""
    has_begun: bool = True


class Cursors:
    """What processes have said last of how far their connections are."""

    def __init__(self, latest: Mapping[str, Progress]) -> None:
        self._latest = latest

    def of(self, process: str, connection: str) -> Cursor | None:
        """Return how far a connection of a process is, None if it doesn't say."""
        if (said := self._latest.get(process)) is None:
            return None
        if (reached := said.behind.get(connection)) is None:
            return None if said.more_behind else Cursor(0)
        present = int(said.at.rpartition(":")[2])
        if reached <= 0:
            return Cursor(0, has_begun=False)
        return Cursor(max(0, present - reached) / 1e6)


def cursors(processes: Collection[str]) -> Cursors:
    """Return how far the connections of processes are; raises `BrokerUnavailable`."""
    return wait_for(_cursors, runtime.publisher(), processes)


async def _cursors(broker: Broker, processes: Collection[str]) -> Cursors:
    present = await broker.position()
    since = Position(present.epoch, max(0, present.seq - int(SILENT_SECONDS * 1e6)))
    names = [process_log(process) for process in processes]
    if not names:
        return Cursors({})
    found = await broker.resume(since, names, _MOST)
    events = list(found.events)
    for name in found.lost:  # as in the first seconds of a broker
        events += (await broker.history(name, _MOST)).events
    said = [one for event in events if (one := Progress.read(event))]
    return Cursors({one.process: one for one in said})
