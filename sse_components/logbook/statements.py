"""What the logbook says, as values and as the payloads of its events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from sse_components import wire
from sse_components.events import Draft, Event
from sse_components.logbook.names import PROCESSES, log_of, process_log


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that is published as a notification, and read from history."""

    def draft(self, group: str) -> Draft:
        """Return it as an event for those who look at a group, and for later."""
        payload = {"event_name": f"console.{_word(type(self))}", "data": asdict(self)}
        return Draft(group, "notify", wire.dumps(payload))

    @classmethod
    def read(cls, event: Event) -> Self | None:
        """Return what an event says, None if that is something else.

        While processes are replaced, another release may say more, which is passed
        over, or less, which isn't understood.
        """
        payload: Any = json.loads(event.payload)
        if not isinstance(payload, dict):
            return None
        if payload.get("event_name") != f"console.{_word(cls)}":
            return None
        known = {field.name for field in fields(cls)}
        said = {name: value for name, value in payload["data"].items() if name in known}
        try:
            return cls(**said)
        except TypeError:
            return None


@dataclass(frozen=True, slots=True)
class Connection(Statement):
    """How it is with a connection; a later statement of it takes the place."""

    connection: str
    process: str
    transport: str
    """`sse` or `websocket`."""
    user: str | None
    when: float
    """Seconds since 1970, as the process has them, which says its progress so too."""
    opened: float
    """Seconds since 1970."""
    groups: Sequence[str]
    denied: Sequence[str]
    """Groups that it asked for in vain."""
    since: int | None
    """It had, or was to have, every event after this seq; None before it began."""
    since_of: Mapping[str, int]
    """The same of groups that came later, or were reset."""
    handed: int
    """Everything up to this seq was written to it, as far as that was its own."""
    ended: str | None = None
    """Why it is over: what it was told, or else `gone` if the client went, `stuck` if
    that took nothing, `asked` if staff had it come back."""
    closed: float | None = None
    """When, in seconds since 1970."""
    more_groups: int = 0
    """How many there are beside those that are listed."""

    def in_its_log(self) -> Draft:
        """Return it as an event of the log that it belongs to."""
        return self.draft(log_of(self.user))


@dataclass(frozen=True, slots=True)
class Deliveries(Statement):
    """What a connection was handed, one by one."""

    connection: str
    process: str
    deliveries: Sequence[Sequence[Any]]
    """Seconds since 1970, id, type, group, bytes of each."""


@dataclass(frozen=True, slots=True)
class Progress(Statement):
    """How far the connections of a process were at a moment."""

    process: str
    when: float
    """Seconds since 1970."""
    at: str
    """The position up to which all of them had everything, but those behind."""
    behind: Mapping[str, int]
    """Connections that had less, and up to which seq everything was written to them."""
    more_behind: int = 0
    untold: int = 0
    """Connections of which something new hasn't been said yet."""

    def in_its_log(self) -> Draft:
        """Return it as an event of its process."""
        return self.draft(process_log(self.process))


@dataclass(frozen=True, slots=True)
class Process(Statement):
    """What a process says of itself."""

    process: str
    name: str
    """For people: host and process id."""
    started: float
    """Seconds since 1970."""
    connections: Mapping[str, int]
    """By transport."""
    users: int
    groups: int
    pending: int
    """Bytes that wait for connections."""
    behind: int
    """Connections that haven't everything yet."""
    events: int
    """Since it started."""
    deliveries: int
    newest: Sequence[Sequence[Any]]
    """Connection, user, transport, when it was opened, of those opened last."""
    untold: int
    """Connections of which something new hasn't been said yet."""
    draining: bool = False

    def for_all(self) -> Draft:
        """Return it as an event beside those of the other processes."""
        return self.draft(PROCESSES)


@dataclass(frozen=True, slots=True)
class Trace(Statement):
    """Every process is to tell what a user's connections are handed."""

    user: str
    until: float
    """Seconds since 1970; 0 to stop."""


@dataclass(frozen=True, slots=True)
class Reconnect(Statement):
    """A connection is to be ended, for its client to come back."""

    connection: str


@dataclass(frozen=True, slots=True)
class Heard(Statement):
    """What was published in the last moment."""

    events: Sequence[Mapping[str, Any]]
    """`id, ts, group, type, sender, size, payload` of each."""
    more: int = 0
    """How many there were beside these."""


def _word(kind: type[Statement]) -> str:
    return kind.__name__.lower()
