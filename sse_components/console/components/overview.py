"""What processes there are, and who came last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sse_components.components.public import public
from sse_components.console import who
from sse_components.console.components.staff import ForStaff
from sse_components.console.past import processes
from sse_components.console.times import age, clock
from sse_components.logbook.statements import Process

NEWEST: Final = 20


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that was opened lately."""

    connection: str
    user: str | None
    name: str
    transport: str
    at: str
    age: str


class Overview(ForStaff):
    template_name = "sse_components/console/overview.html"

    def read(self) -> None:
        self.processes = [(one, clock(one.started)) for one in processes()]
        said = [one for one, _ in self.processes]
        self.transports = _summed(one.connections for one in said)
        self.connections = sum(self.transports.values())
        self.users = sum(one.users for one in said)
        self.groups = sum(one.groups for one in said)
        self.pending = sum(one.pending for one in said)
        self.behind = sum(one.behind for one in said)
        self.newest = _newest(said)

    @public.listen("console.process").throttle(1500)
    def follow(self, detail: dict[str, Any]) -> None:
        """Rendering shows what the processes say now."""


def _newest(said: Sequence[Process]) -> Sequence[Opened]:
    rows = [row for one in said for row in one.newest]
    rows = sorted(rows, key=lambda row: row[3], reverse=True)[:NEWEST]
    names = who.names_of(user for _, user, _, _ in rows if user is not None)
    return [
        Opened(
            connection,
            user,
            "" if user is None else names.get(user, user),
            transport,
            clock(opened),
            age(opened),
        )
        for connection, user, transport, opened in rows
    ]


def _summed(several: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for counts in several:
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return total
