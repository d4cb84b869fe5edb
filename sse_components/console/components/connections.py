"""The connections of one user, or of those without a login."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.http import Http404

from sse_components import presence
from sse_components.components.public import public
from sse_components.console import orders, who
from sse_components.console.components.staff import ForStaff
from sse_components.console.cursors import Cursor, Cursors, cursors
from sse_components.console.past import Past, connections_of, processes
from sse_components.console.times import age, clock, moment
from sse_components.console.why import WHY_ENDED
from sse_components.logbook.names import PROCESSES, log_of
from sse_components.revoking import disconnect_user

CONNECTIONS: Final = 50
LISTED: Final = 6
"""Groups of a connection that are shown without being asked for."""
DELIVERIES: Final = 100


@dataclass(frozen=True, slots=True)
class Shown:
    """A connection as a card."""

    past: Past
    process: str
    """The name, or what is known instead."""
    opened: str
    age: str
    ended: str
    groups: Sequence[str]
    more: Sequence[str]
    """Groups that are folded away."""
    cursor: Cursor | None


class Connections(ForStaff):
    """The connections of one user, or of all who aren't logged in."""

    shown: Sequence[Shown] = ()

    def _read(self, user: str | None) -> None:
        found = connections_of(user)
        ordered = sorted(found, key=lambda one: not one.is_open)
        self.open = sum(one.is_open for one in found)
        self.more = max(0, len(ordered) - CONNECTIONS)
        named = {one.process: one.name for one in processes()}
        known = cursors(named)
        self.shown = [_card(one, named, known) for one in ordered[:CONNECTIONS]]

    @public
    def reconnect(self, connection: str) -> None:
        if connection not in {one.past.now.connection for one in self.shown}:
            raise Http404("It is none of these.")
        orders.reconnect(connection)
        self._log(f"reconnected {connection}")

    @public.listen("console.process").throttle(3000)
    def look_on(self, detail: dict[str, Any]) -> None:
        """Rendering shows how far they are now."""


class User(Connections):
    """One user: whether online, by which connections, and what was delivered."""

    template_name = "sse_components/console/person_view.html"
    said = ""
    """What was done."""

    def read(self, user: str) -> None:
        self.user = user
        self.name = who.names_of([user]).get(user)
        self.status = presence.status(user)
        self._read(user)
        until = orders.traced().get(user)
        self.traced = None if until is None else clock(until)
        delivered = [
            (one, past.now.connection, moment(one.at))
            for past in (card.past for card in self.shown)
            for one in past.deliveries
        ]
        delivered.sort(key=lambda line: line[0].at, reverse=True)
        self.deliveries = delivered[:DELIVERIES]

    def get_subscription(self) -> Sequence[str]:
        return [PROCESSES, log_of(self.user)]

    @public
    def disconnect(self) -> None:
        disconnect_user(self.user)
        self._log(f"disconnected user {self.user}")
        self.said = f"Streams were ended at {clock(time.time())}."

    @public
    def trace(self) -> None:
        orders.trace(self.user)
        self._log(f"traced user {self.user}")

    @public
    def untrace(self) -> None:
        orders.untrace(self.user)
        self._log(f"stopped to trace user {self.user}")

    @public.listen("console.connection", "console.deliveries").throttle(500)
    def follow(self, detail: dict[str, Any]) -> None:
        """Rendering shows what the logbook has now."""


class Visitors(Connections):
    template_name = "sse_components/console/visitors_view.html"

    def read(self) -> None:
        self._read(None)


def _card(past: Past, named: Mapping[str, str], known: Cursors) -> Shown:
    now = past.now
    ended = ""
    if now.closed is not None:
        why = WHY_ENDED.get(now.ended or "", now.ended)
        ended = f"{clock(now.closed)}: {why}"
    elif not past.is_open:
        ended = f"after {clock(past.told[-1].when)}, its process with it"
    return Shown(
        past,
        named.get(now.process, f"{now.process}, which is no more"),
        clock(now.opened),
        age(now.opened),
        ended,
        now.groups[:LISTED],
        now.groups[LISTED:],
        known.of(now.process, now.connection) if past.is_open else None,
    )
