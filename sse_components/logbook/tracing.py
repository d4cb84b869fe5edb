"""Tells of each frame that the connections of some users are handed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sse_components.events import Draft
from sse_components.hub import Hub
from sse_components.logbook.log import ConnectionLog
from sse_components.logbook.names import trace_of
from sse_components.logbook.statements import Deliveries, Trace
from sse_components.revocations import user_subject
from sse_components.subscriber import Subscriber, Transport
from sse_components.wire import Farewell, Frame

MOST: Final = 1000
"""Frames of one connection that are told of in one second."""
AT_ONCE: Final = 100
"""Of these in one statement."""

logger = logging.getLogger("sse_components.trace")


class Tracing:
    """Who is traced, and what has been handed to them since it was last asked."""

    def __init__(self, process: str, log: ConnectionLog) -> None:
        self._process = process
        self._log = log
        self._until: dict[str, float] = {}
        self._traced: dict[Subscriber, _Traced] = {}
        self._over: list[_Traced] = []
        """Those of which there may be something to tell still."""

    def note(self, trace: Trace) -> None:
        """Trace a user until a time, or no longer."""
        self._until[trace.user] = trace.until

    def follow(self, hub: Hub, now: float) -> None:
        """Begin with the connections that are to be traced, and end with the others."""
        self._until = {user: end for user, end in self._until.items() if end > now}
        wanted = {one for user in self._until for one in hub.of(user_subject(user))}
        for subscriber in wanted - self._traced.keys():
            self.begin(subscriber)
        for subscriber in self._traced.keys() - wanted:
            traced = self._traced.pop(subscriber)
            subscriber.transport = traced.transport
            self._over.append(traced)

    def begin(self, subscriber: Subscriber) -> None:
        """Trace a connection that has opened, if it is a user's who is traced."""
        user = subscriber.whose.user
        if user in self._until and subscriber not in self._traced:
            traced = _Traced(subscriber.transport, user, self._log.name_of(subscriber))
            subscriber.transport = self._traced[subscriber] = traced

    def news(self) -> Iterable[Draft]:
        """Return what was handed to whom."""
        over, self._over = self._over, []
        for traced in (*over, *self._traced.values()):
            told = traced.taken()
            for start in range(0, len(told), AT_ONCE):
                part = told[start : start + AT_ONCE]
                statement = Deliveries(traced.connection, self._process, part)
                yield statement.draft(trace_of(traced.user))


class _Traced:
    """Passes on to a transport, and notes each frame that this has taken."""

    def __init__(self, transport: Transport, user: str, connection: str) -> None:
        self.transport = transport
        self.connection = connection
        self.user = user
        self._told: list[list[Any]] = []
        self._more = 0

    def taken(self) -> list[list[Any]]:
        """Take what was noted; the log says how many there were beside it."""
        if self._more:
            logger.info(
                "user %s, %s -> %s more frames", self.user, self.connection, self._more
            )
        taken, self._told, self._more = self._told, [], 0
        return taken

    def write_now(self, frames: Sequence[Frame]) -> bool:
        is_written = self.transport.write_now(frames)
        if is_written:
            self._note(frames)
        return is_written

    async def write(self, frames: Sequence[Frame]) -> None:
        await self.transport.write(frames)
        self._note(frames)

    async def end(self, farewell: Farewell) -> None:
        await self.transport.end(farewell)
        self._note([farewell])

    def abort(self) -> None:
        self.transport.abort()

    def _note(self, frames: Sequence[Frame]) -> None:
        now = round(time.time(), 6)
        for frame in frames:
            if len(self._told) >= MOST:
                self._more += 1
                continue
            fields = frame.fields
            type, id = fields["event"], fields.get("id")
            line = [now, id, type, frame.group or None, len(frame.json)]
            self._told.append(line)
            logger.info(
                "user %s, %s -> %s %s at %s, %s bytes",
                self.user,
                self.connection,
                type,
                frame.group,
                id,
                len(frame.json),
            )
