"""What this process has to say of its connections."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from sse_components.errors import PayloadTooLarge
from sse_components.events import Draft
from sse_components.hub import Hub
from sse_components.logbook.statements import Connection, Progress
from sse_components.subscriber import NEVER, Subscriber

MOST: Final = 1000
"""Connections that are told of in one second; the others are next."""
MOST_ENDED: Final = 10_000
"""That wait to be told of; of more the oldest are forgotten."""
MOST_BEHIND: Final = 500
LISTED: Final = 40
"""Groups of a connection that has too many to be told."""
NEWEST: Final = 30


@dataclass(slots=True)
class _Entry:
    """A connection, and what was last said of it."""

    connection: str
    denied: Sequence[str]
    opened: float
    said: float = 0
    groups: tuple[Any, ...] = ()
    noted: object = None
    since: int = NEVER
    denied_last: Sequence[str] = ()
    was_asked: bool = False
    """Whether staff has asked for its end."""

    def is_news(self, subscriber: Subscriber) -> bool:
        """Whether something else is so of it than was said."""
        return not (
            self.groups is subscriber.groups
            and self.noted is subscriber.noted
            and self.since == subscriber.since
            and self.denied is self.denied_last
        )


class ConnectionLog:
    """Knows the connections of a hub, and finds out what is new of them.

    It looks at them once a second, and costs them nothing in between.
    """

    def __init__(self, process: str, restate_seconds: float) -> None:
        """Each connection is told of anew after `restate_seconds`.

        So that what is kept of a log never lacks one that is open.
        """
        self._process = process
        self._restate = restate_seconds
        self._open: dict[Subscriber, _Entry] = {}
        self._ended: deque[Connection] = deque(maxlen=MOST_ENDED)

    def came(
        self, subscriber: Subscriber, connection: str, denied: Sequence[str]
    ) -> None:
        """Note a connection that has opened."""
        self._open[subscriber] = _Entry(connection, tuple(denied), time.time())

    def refused(self, subscriber: Subscriber, names: Sequence[str]) -> None:
        """Note what a connection has asked for in vain."""
        if entry := self._open.get(subscriber):
            entry.denied = tuple(dict.fromkeys((*entry.denied, *names)))

    def went(self, subscriber: Subscriber) -> None:
        """Note that a connection is over."""
        if entry := self._open.pop(subscriber, None):
            now = time.time()
            statement = self._statement(subscriber, entry, now)
            ended = "asked" if entry.was_asked else _reason(subscriber)
            self._ended.append(replace(statement, ended=ended, closed=now))

    def asked(self, connection: str) -> Subscriber | None:
        """Return the connection of a name, which staff wants to come back."""
        for subscriber, entry in self._open.items():
            if entry.connection == connection:
                entry.was_asked = True
                return subscriber
        return None

    def name_of(self, subscriber: Subscriber) -> str:
        """Return the name of a connection, "" if it isn't open."""
        entry = self._open.get(subscriber)
        return entry.connection if entry else ""

    def news(self, now: float) -> list[Draft]:
        """Return what is new, at most so much; of those that are open at first."""
        changed = list(islice(self._changed(now), MOST))
        room = min(MOST - len(changed), len(self._ended))
        ended = [self._ended.popleft() for _ in range(room)]
        return [_draft(one) for one in (*changed, *ended)]

    def progress(self, hub: Hub, now: float, late: int = 0) -> Progress:
        """Return how far the connections are, with so many that are late to be said."""
        at, behind, more = hub.position, dict[str, int](), 0
        untold = late + len(self._ended)
        for subscriber, entry in self._open.items():
            untold += entry.is_news(subscriber)
            reached = hub.reached(subscriber)
            if reached >= at.seq:
                continue
            if len(behind) < MOST_BEHIND:
                behind[entry.connection] = reached
            else:
                more += 1
        return Progress(self._process, now, str(at), behind, more, untold)

    def newest(self) -> list[list[Any]]:
        """Return the connections that were opened last, the newest first."""
        last = islice(reversed(self._open.items()), NEWEST)
        return [
            [entry.connection, one.whose.user, one.kind, round(entry.opened, 3)]
            for one, entry in last
        ]

    def _changed(self, now: float) -> Iterator[Connection]:
        for subscriber, entry in self._open.items():
            if not entry.is_news(subscriber) and now - entry.said < self._restate:
                continue
            entry.said, entry.denied_last = now, entry.denied
            entry.groups, entry.noted = subscriber.groups, subscriber.noted
            entry.since = subscriber.since
            yield self._statement(subscriber, entry, now)

    def _statement(
        self, subscriber: Subscriber, entry: _Entry, now: float
    ) -> Connection:
        return Connection(
            connection=entry.connection,
            process=self._process,
            transport=subscriber.kind,
            user=subscriber.whose.user,
            when=now,
            opened=entry.opened,
            groups=[group.name for group in subscriber.groups],
            denied=entry.denied,
            since=None if subscriber.since == NEVER else subscriber.since,
            since_of=subscriber.noted or {},
            handed=subscriber.handed,
        )


def _draft(statement: Connection) -> Draft:
    try:
        return statement.in_its_log()
    except PayloadTooLarge:
        listed = statement.groups[:LISTED]
        since_of = {n: s for n, s in statement.since_of.items() if n in listed}
        return replace(
            statement,
            groups=listed,
            denied=statement.denied[:LISTED],
            since_of=since_of,
            more_groups=len(statement.groups) - len(listed),
        ).in_its_log()


def _reason(subscriber: Subscriber) -> str:
    if farewell := subscriber.farewell:
        return farewell.why
    return "stuck" if subscriber.stuck else "gone"
