"""What is published to all groups, for who looks at it live."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

from sse_components.brokers.base import Announcement, Broker, Delivery
from sse_components.errors import BrokerUnavailable, PayloadTooLarge
from sse_components.events import Draft, Event, is_pattern
from sse_components.logbook.names import TAIL, is_of_the_logbook
from sse_components.logbook.statements import Heard

GATHER_SECONDS: Final = 0.25
MOST: Final = 40
"""Events in one go; of more there is only how many."""
LONGEST: Final = 400
"""Bytes of a payload."""

logger = logging.getLogger("sse_components.console")


class Tail:
    """Hears everything as long as anybody looks, and publishes what it was.

    To one group, so that any number may look at any number of processes. Who looks
    hears an event once for each process that somebody looks at, and knows it by its id.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._running: asyncio.Task[None] | None = None

    def run(self, is_wanted: bool) -> None:
        """Hear from now on, or no longer."""
        is_running = self._running is not None and not self._running.done()
        if is_wanted and not is_running:
            self._running = asyncio.get_running_loop().create_task(self._hear())
        elif not is_wanted and self._running is not None:
            self._running.cancel()
            self._running = None

    async def close(self) -> None:
        """Stop."""
        if running := self._running:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _hear(self) -> None:
        try:
            feed = await self._broker.feed()
            try:
                await feed.subscribe_all()
                async with asyncio.TaskGroup() as both:
                    heard = _Buffer()
                    both.create_task(self._tell(heard))
                    async for batch in feed:
                        heard.add(batch)
            finally:
                await feed.close()
        except BrokerUnavailable as error:
            logger.info("What is published can't be heard: %s", error)
        except Exception:
            logger.exception("What is published can't be shown")

    async def _tell(self, heard: _Buffer) -> None:
        while True:
            await asyncio.sleep(GATHER_SECONDS)
            if statement := heard.taken():
                try:
                    await self._broker.apublish(_drafts(statement))
                except BrokerUnavailable as error:
                    logger.info("What was published can't be shown: %s", error)


class _Buffer:
    def __init__(self) -> None:
        self._events: list[Event] = []
        self._more = 0

    def add(self, batch: Iterable[Announcement]) -> None:
        for one in batch:
            if not isinstance(one, Delivery) or is_pattern(one.name):
                continue
            if is_of_the_logbook(one.name):
                continue
            if len(self._events) < MOST:
                self._events.append(one.event)
            else:
                self._more += 1

    def taken(self) -> Heard | None:
        if not self._events:
            return None
        statement = Heard([line_of(event) for event in self._events], self._more)
        self._events, self._more = [], 0
        return statement


def _drafts(statement: Heard) -> list[Draft]:
    """Return a statement in as many events as it takes."""
    try:
        return [statement.draft(TAIL)]
    except PayloadTooLarge:
        half = len(statement.events) // 2
        first = Heard(statement.events[:half], statement.more)
        return _drafts(first) + _drafts(Heard(statement.events[half:]))


def line_of(event: Event) -> dict[str, Any]:
    """Return an event as it is shown in a line."""
    shown = event.payload[:LONGEST].decode(errors="ignore")
    return {
        "id": str(event.position),
        "ts": event.position.seq / 1e6,
        "group": event.group,
        "type": event.type,
        "sender": event.sender,
        "size": len(event.payload),
        "payload": shown if len(event.payload) <= LONGEST else f"{shown}…",
    }
