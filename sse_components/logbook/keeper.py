"""Keeps the logbook: once a second, what is new is published and orders are read."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterable, Sequence
from typing import Final

from sse_components.brokers.base import Broker
from sse_components.errors import BrokerUnavailable
from sse_components.events import Draft, Event, Position
from sse_components.hub import Hub
from sse_components.logbook.log import ConnectionLog
from sse_components.logbook.names import CONTROL, TAIL
from sse_components.logbook.statements import Process, Reconnect, Trace
from sse_components.logbook.tail import Tail
from sse_components.logbook.tracing import Tracing
from sse_components.subscriber import Subscriber

SECOND: Final = 1.0
AT_ONCE: Final = 100
"""Events in one call: the broker serves nobody else in the meantime."""
RESTATED: Final = 3
"""How often a connection is told of while its log is kept."""
ORDERS: Final = 100
LAST_SECONDS: Final = 0.3
"""For what is to be said when the process ends, which has to end soon."""
AWAY_SECONDS: Final = 1.5
"""After which a broker that doesn't answer isn't told the last of it."""

logger = logging.getLogger("sse_components.console")


class Keeper:
    """The logbook of one process, and what its staff asks of it."""

    def __init__(self, hub: Hub, broker: Broker, history_seconds: float) -> None:
        self._hub = hub
        self._broker = broker
        self._process = secrets.token_hex(6)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._started = time.time()
        self._answered = time.monotonic()
        self._log = ConnectionLog(self._process, history_seconds / RESTATED)
        self._tracing = Tracing(self._process, self._log)
        self._tail = Tail(broker)
        self._read: Position | None = None
        """Up to where orders were read."""
        self._unsaid: list[Draft] = []
        """Which a broker that is away hasn't taken."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._hub.watcher = self
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Say what there is left to say, and stop."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if time.monotonic() - self._answered < AWAY_SECONDS:
            await self._tell_the_rest()
        await self._tail.close()

    def came(
        self, subscriber: Subscriber, connection: str, denied: Sequence[str]
    ) -> None:
        self._log.came(subscriber, connection, denied)
        self._tracing.begin(subscriber)

    def refused(self, subscriber: Subscriber, names: Sequence[str]) -> None:
        self._log.refused(subscriber, names)

    def went(self, subscriber: Subscriber) -> None:
        self._log.went(subscriber)

    async def _keep(self) -> None:
        while True:
            try:
                await self._obey()
                await self._tell()
            except BrokerUnavailable as error:
                logger.info("The logbook can't be kept: %s", error)
            except Exception:
                logger.exception("The logbook failed, and goes on")
            await asyncio.sleep(SECOND)

    async def _tell(self) -> None:
        now = time.time()
        self._tracing.follow(self._hub, now)
        self._tail.run(self._hub.hears(TAIL) > 0 and not self._hub.draining)
        late = len(self._unsaid)
        if not late:
            self._unsaid = [*self._tracing.news(), *self._log.news(now)]
        progress = self._log.progress(self._hub, now, late)
        behind = len(progress.behind) + progress.more_behind
        about = self._about_this(behind, progress.untold)
        # First: what is said of progress counts for what was said of the connections.
        await self._publish_unsaid()
        await self._broker.apublish([about.for_all(), progress.in_its_log()])
        self._answered = time.monotonic()

    async def _tell_the_rest(self) -> None:
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self._tell()
                while news := self._log.news(time.time()):
                    self._unsaid = news
                    await self._publish_unsaid()
        except (BrokerUnavailable, TimeoutError) as error:
            logger.info("The logbook ends without its last lines: %s", error)

    async def _publish_unsaid(self) -> None:
        while self._unsaid:
            await self._broker.apublish(self._unsaid[:AT_ONCE])
            del self._unsaid[:AT_ONCE]
            await asyncio.sleep(0)  # the embedded broker doesn't wait for anything

    def _about_this(self, behind: int, untold: int) -> Process:
        census, meters = self._hub.census(), self._hub.meters
        return Process(
            process=self._process,
            name=self._name,
            started=self._started,
            connections=dict(census.connections),
            users=census.users,
            groups=census.groups,
            pending=census.pending,
            behind=behind,
            events=meters.events,
            deliveries=meters.deliveries,
            newest=self._log.newest(),
            untold=untold,
            draining=self._hub.draining,
        )

    async def _obey(self) -> None:
        """Read what is asked of all processes; all that is remembered, at first."""
        for event in await self._orders():
            if trace := Trace.read(event):
                self._tracing.note(trace)
            elif (order := Reconnect.read(event)) and (
                subscriber := self._log.asked(order.connection)
            ):
                self._hub.send_away(subscriber)

    async def _orders(self) -> Iterable[Event]:
        if self._read is None:
            found = await self._broker.history(CONTROL, ORDERS)
        else:
            found = await self._broker.resume(self._read, [CONTROL], ORDERS)
            if found.lost:  # with the memory of the broker, and it may have new ones
                found = await self._broker.history(CONTROL, ORDERS)
        self._read = found.position
        return found.events
