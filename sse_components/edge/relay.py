"""Passes on to the proxy what the broker announces."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from itertools import islice

from sse_components.brokers.base import (
    Announcement,
    Broker,
    Delivery,
    Feed,
    Interruption,
    Revocation,
)
from sse_components.edge import items
from sse_components.edge.control import Rejected, Unpublished
from sse_components.errors import BrokerUnavailable
from sse_components.events import Position
from sse_components.groups import user_group

PROBE_SECONDS = 3.0
BACKOFF_SECONDS = (0.1, 2.0)
"""The first and the longest pause before something is tried again."""
AGAIN_SECONDS = 1.0
"""After which a revocation is hinted at again: by then every process knows of it."""
MAX_WAITING = 20_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Of the events that wait for the proxy; over it the oldest become hints."""
MAX_HINTS = 20_000
MAX_KNOWN = 20_000
"""Names that had an event lately, and are hinted at if some may have been lost."""
POST_ITEMS = 200
POST_BYTES = 200_000
"""Of payload in one request: Pushpin takes 1,000,000 bytes of all."""

logger = logging.getLogger("sse_components.edge")


class Relay:
    """Publishes every event under every name, in order, and what it can't as hints.

    It is correct without: the proxy asks by itself, only later. So it may be killed,
    and two may run at once, since the proxy takes an id only once.
    """

    def __init__(self, broker: Broker, publish: Callable[[bytes], None]) -> None:
        self._broker = broker
        self._publish = publish
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._hints: OrderedDict[str, None] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._epoch = ""
        self._ready = asyncio.Event()
        self._is_heard = asyncio.Event()
        self.published = 0
        """Events that the proxy has taken, under each name."""

    async def run(self) -> None:
        """Relay until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear())
            group.create_task(self._post())

    async def heard(self) -> None:
        """Return when everything that is published from now on will be relayed."""
        await self._is_heard.wait()

    # Hearing.

    async def _hear(self) -> None:
        feed = await self._broker.feed()
        probing: asyncio.Task[None] | None = None
        try:
            position = await _subscribed(feed)
            logger.info("Relaying what is published after %s", position)
            self._is_heard.set()
            probing = asyncio.create_task(_probe(feed))
            async for batch in feed:  # it comes back by itself
                self._take(batch)
        finally:
            if probing:
                probing.cancel()
            await feed.close()

    def _take(self, batch: Iterable[Announcement]) -> None:
        for one in batch:
            if isinstance(one, Interruption):
                logger.warning("Events may be lost to the relay: the proxy is to ask")
                self._hint(list(self._known))
                continue
            position = one.event.position if isinstance(one, Delivery) else one.position
            if position.epoch != self._epoch:
                self._begin(position.epoch)
            if isinstance(one, Delivery):
                self._add(one)
            elif isinstance(one, Revocation):
                self._revoke(one)
        self._ready.set()

    def _begin(self, epoch: str) -> None:
        """Have all ask who are at a place in a memory that the broker has lost."""
        if self._epoch:
            logger.warning("The broker has begun anew: the proxy is to ask")
            self._hint(list(self._known))
        self._epoch = epoch

    def _add(self, delivery: Delivery) -> None:
        self._known[delivery.name] = None
        self._known.move_to_end(delivery.name)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        self._waiting.append(delivery)
        self._bytes += len(delivery.event.payload)
        if len(self._waiting) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES:
            self._drop(1)

    def _revoke(self, revocation: Revocation) -> None:
        name = _group_of(revocation.subject)
        if name is None:
            return
        self._hint([name])
        asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._hint, [name])

    def _hint(self, names: Collection[str]) -> None:
        self._hints |= dict.fromkeys(names)
        for name in list(islice(self._hints, max(len(self._hints) - MAX_HINTS, 0))):
            del self._hints[name]
        self._ready.set()

    def _drop(self, count: int) -> None:
        """Give up the oldest events; those who wait for them will ask."""
        for _ in range(count):
            delivery = self._waiting.popleft()
            self._bytes -= len(delivery.event.payload)
            self._hint([delivery.name])

    # Publishing.

    async def _post(self) -> None:
        pause, is_away = BACKOFF_SECONDS[0], False
        while True:
            await self._ready.wait()
            hints = list(islice(self._hints, POST_ITEMS))
            events = self._next_events(POST_ITEMS - len(hints))
            if not hints and not events:
                self._ready.clear()
                continue
            try:
                await self._send(hints, events)
            except Unpublished as error:
                if not is_away:
                    logger.warning("The proxy can't be published to: %s", error)
                is_away = True
                await asyncio.sleep(random.uniform(pause / 2, pause))
                pause = min(pause * 2, BACKOFF_SECONDS[1])
                continue
            if is_away:
                logger.info("The proxy is published to again")
            pause, is_away = BACKOFF_SECONDS[0], False

    async def _send(self, hints: list[str], events: list[Delivery]) -> None:
        body = items.body([*map(items.hint, hints), *map(items.item, events)])
        try:
            await asyncio.to_thread(self._publish, body)
        except Rejected as error:
            logger.error("The proxy doesn't take %s items: %s", len(events), error)
            if not events:  # nothing that could be said in their place
                self._forget(hints)
                return
            self._drop_those(events)
            return
        self.published += len(events)
        self._forget(hints)
        self._remove(events)

    def _next_events(self, most: int) -> list[Delivery]:
        found: list[Delivery] = []
        size = 0
        for delivery in islice(self._waiting, most):
            size += len(delivery.event.payload)
            if found and size > POST_BYTES:
                break
            found.append(delivery)
        return found

    def _forget(self, hints: list[str]) -> None:
        for name in hints:
            self._hints.pop(name, None)

    def _remove(self, events: list[Delivery]) -> None:
        for delivery in events:
            # Some may have been dropped in the meantime, from the same end.
            if self._waiting and self._waiting[0] is delivery:
                self._waiting.popleft()
                self._bytes -= len(delivery.event.payload)

    def _drop_those(self, events: list[Delivery]) -> None:
        self._remove(events)
        self._hint([delivery.name for delivery in events])


async def _subscribed(feed: Feed) -> Position:
    """Return where everything is heard from, as soon as the broker is there."""
    pause = BACKOFF_SECONDS[0]
    while True:
        try:
            return await feed.subscribe_all()
        except BrokerUnavailable as error:
            logger.warning("The broker can't be heard: %s", error)
        await asyncio.sleep(random.uniform(pause / 2, pause))
        pause = min(pause * 2, BACKOFF_SECONDS[1])


async def _probe(feed: Feed) -> None:
    while True:
        await asyncio.sleep(PROBE_SECONDS)
        with suppress(BrokerUnavailable):  # the feed comes back by itself
            await feed.probe()


def _group_of(subject: str) -> str | None:
    """Return the group that all pages of a subject hear, if there is one."""
    kind, _, of = subject.partition(":")
    if kind == "user":
        return user_group(of)
    return f"session.{of}" if kind == "session" else None
