"""This process's subscribers: fan-out, resume, keep-alives, the end of streams."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Coroutine, Iterable
from contextlib import suppress
from dataclasses import replace
from heapq import merge
from operator import itemgetter
from typing import Any

from sse_components import wire
from sse_components.brokers.base import Broker, Delivery, Feed, Resumption
from sse_components.errors import BrokerUnavailable
from sse_components.events import Event, Position
from sse_components.ring import Ring
from sse_components.subscriber import MAX_PENDING, NEVER, Subscriber, Transport
from sse_components.wire import Frame

PAGE_EVENTS = 100
"""How many missed events are read and written at a time."""
PROBE_SECONDS = 5
LINGER_SECONDS = 30
"""How long a group without subscribers is still heard, for those who reload."""
STUCK_SECONDS = 30
RETRY_MILLISECONDS = (500, 3000)
"""Over which ended streams are told to come back."""

logger = logging.getLogger("sse_components.hub")

Greeting = Callable[[Position | None], Frame]
"""The first frame of a stream, with the id that it may carry."""


class Hub:
    """Connects the one feed of a process with all its connections.

    Never a silent gap: a subscriber gets every event of its groups after its cursor
    once, in order, or a `stream-reset` that names the group. What a connection is
    sent never goes back in seq, so an event heard under two names is sent once.
    """

    def __init__(self, broker: Broker, *, keep_alive: float = 15) -> None:
        self._broker = broker
        self._keep_alive = keep_alive
        self._groups: dict[str, _Group] = {}
        self._empty: dict[_Group, float] = {}
        """Groups without subscribers, and since when."""
        self._subscribers: set[Subscriber] = set()
        self._dirty: list[Subscriber] = []
        self._position = Position("", 0)
        """All that was published up to here to the groups has been heard."""
        self._frame: tuple[int, Frame] | None = None
        self._feed_lock = asyncio.Lock()
        self._feed: Feed
        self._tasks: set[asyncio.Task[None]] = set()
        self._pumping: asyncio.Task[None] | None = None
        self._admitted = 0
        self._draining = False
        self._closing = False
        self._deserted = asyncio.Event()
        """Set when the last subscriber leaves."""

    @property
    def position(self) -> Position:
        """A position that is not after anything read from now on."""
        return self._position

    @property
    def connections(self) -> int:
        return len(self._subscribers)

    @property
    def draining(self) -> bool:
        return self._draining

    def admit(self, most: int) -> bool:
        """Take a place for a connection, before anything about it is waited for.

        A place that was given is given back by `dismiss`.
        """
        if self._admitted >= most:
            return False
        self._admitted += 1
        return True

    def dismiss(self) -> None:
        """Give back a place."""
        self._admitted -= 1

    async def start(self) -> None:
        """Begin to hear, on the running loop."""
        self._feed = await self._broker.feed()
        self._position = await self._broker.position()
        self._pumping = self._own(self._pump())
        self._own(self._tick())

    async def close(self) -> None:
        """Cut what is still open and stop to hear."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for subscriber in list(self._subscribers):
            subscriber.abort()
            await self.leave(subscriber)
        await self._feed.close()

    async def drain(self, seconds: float) -> None:
        """End all streams, tell each when to come back, and cut what is left then."""
        self._draining = True
        for subscriber in list(self._subscribers):
            subscriber.end(self.farewell("shutdown"))
        if self._subscribers:
            self._deserted.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._deserted.wait()
        for subscriber in list(self._subscribers):
            subscriber.abort()

    def farewell(self, reason: wire.Reason) -> Frame:
        """The frame that ends one stream, with a moment of its own to come back."""
        return wire.stream_close(reason, random.randint(*RETRY_MILLISECONDS))

    async def open(
        self,
        transport: Transport,
        names: Collection[str],
        cursor: Position | None,
        greeting: Greeting,
    ) -> Subscriber:
        """Subscribe a connection and bring it up to date.

        Without a cursor it hears what is published from now on. The caller calls
        `leave` when the connection is gone, whoever ended it.
        """
        subscriber = Subscriber(transport, self._catch_up)
        subscriber.groups = tuple(self._group(name) for name in names)
        for group in subscriber.groups:
            group.subscribers.add(subscriber)
            self._empty.pop(group, None)
        self._subscribers.add(subscriber)
        if self._draining:
            subscriber.end(self.farewell("shutdown"))
        try:
            await self._replay(subscriber, cursor, greeting)
            await subscriber.run()
        except BaseException:
            await self.leave(subscriber)
            raise
        return subscriber

    async def leave(self, subscriber: Subscriber) -> None:
        """Forget a connection."""
        self._subscribers.discard(subscriber)
        for group in subscriber.groups:
            group.subscribers.discard(subscriber)
            if not group.subscribers:
                self._empty[group] = time.monotonic()
        if not self._subscribers:
            self._deserted.set()
        await subscriber.close()

    # Hearing and fan-out: nothing in here waits.

    async def _pump(self) -> None:
        async for batch in self._feed:
            for announcement in batch:
                if isinstance(announcement, Delivery):
                    self._deliver(announcement)
                else:
                    self._position = announcement.position
            self._flush()

    def _deliver(self, delivery: Delivery) -> None:
        event = delivery.event
        seq = event.position.seq
        if seq > self._position.seq:
            self._position = event.position
        group = self._groups.get(delivery.name)
        if group is None or seq <= group.last:
            return
        frame = self._encoded(event)
        size = len(frame.sse)
        group.last = seq
        group.ring.append(seq, frame)
        for subscriber in group.subscribers:
            if seq > subscriber.after:
                subscriber.after = seq
                if not subscriber.pending:
                    self._dirty.append(subscriber)
                subscriber.pending.append(frame)
                subscriber.size += size
                if subscriber.size > MAX_PENDING:
                    subscriber.overflow()

    def _encoded(self, event: Event) -> Frame:
        # An event that is heard under its group and its pattern comes twice in a row.
        seq = event.position.seq
        if self._frame is None or self._frame[0] != seq:
            self._frame = seq, wire.event(event)
        return self._frame[1]

    def _flush(self) -> None:
        now = time.monotonic()
        dirty, self._dirty = self._dirty, []
        for subscriber in dirty:
            subscriber.flush(now)

    # Catching up.

    async def _catch_up(self, subscriber: Subscriber) -> None:
        """Bring one that was too slow up to date, from what it was last handed."""
        await self._replay(
            subscriber, Position(self._position.epoch, subscriber.sent), None
        )

    async def _replay(
        self,
        subscriber: Subscriber,
        cursor: Position | None,
        greeting: Greeting | None,
    ) -> None:
        """Write what was missed after a cursor, and let live events follow.

        With a greeting the cursor is the client's word, and may be a fantasy.
        """
        try:
            await self._hear(subscriber.groups)
            ours = cursor is None or greeting is None
            cursor = cursor or self._now(subscriber.groups)
            names = [group.name for group in subscriber.groups]
            reset: frozenset[str] = frozenset()
            reset_at = 0
            while not subscriber.ending:
                frames: list[Frame] = []
                if self._rings_reach(subscriber.groups, cursor, ours):
                    if greeting:
                        frames.append(greeting(cursor))
                    missed, seq = self._from_rings(subscriber.groups, cursor.seq)
                    frames += missed
                    if seq is None:
                        self._release(subscriber, frames, cursor)
                        return
                    cursor = Position(cursor.epoch, seq)
                else:
                    if cursor.seq >= reset_at:
                        reset = frozenset()
                    asked = [name for name in names if name not in reset]
                    page = await self._broker.resume(cursor, asked, PAGE_EVENTS)
                    if reset:
                        page = _up_to(page, reset_at)
                    elif page.lost and page.more:
                        # The next pages would lose them again. Who has been told of a
                        # reset has all up to now, and needs only what comes after.
                        reset, reset_at = page.lost, page.present.seq
                    if greeting:
                        frames.append(greeting(cursor if page.usable else None))
                    frames += self._from_broker(page, len(names))
                    cursor = page.position
                    ours = True
                greeting = None
                for part in _parts(frames):
                    await subscriber.write(part)
        except BrokerUnavailable:
            subscriber.end(self.farewell("unavailable"))

    def _rings_reach(
        self, groups: Iterable[_Group], cursor: Position, ours: bool
    ) -> bool:
        return (
            cursor.epoch == self._position.epoch
            and (ours or cursor.seq <= self._position.seq)
            and all(group.reaches(cursor.seq) for group in groups)
        )

    def _from_rings(
        self, groups: Iterable[_Group], after: int
    ) -> tuple[list[Frame], int | None]:
        """Return a page of frames, and its last seq if it isn't the last page."""
        missed = [group.ring.after(after, MAX_PENDING) for group in groups]
        frames: list[Frame] = []
        size, last = 0, after
        for seq, frame in merge(*missed, key=itemgetter(0)):
            if seq == last:  # the same event, under its pattern
                continue
            if size > MAX_PENDING:
                break
            frames.append(frame)
            size += len(frame.sse)
            last = seq
        return frames, last if size > MAX_PENDING else None

    def _from_broker(self, page: Resumption, asked: int) -> list[Frame]:
        frames = [wire.event(event) for event in page.events]
        if page.lost:
            # A reset of all groups is a new start and carries an id; one of some
            # must not, because the others' events are still to come.
            id = page.position if len(page.lost) == asked else None
            frames.insert(0, wire.stream_reset(id, page.lost))
            logger.info("Reset %s of %s groups", len(page.lost), asked)
        return frames

    def _release(
        self, subscriber: Subscriber, frames: list[Frame], cursor: Position
    ) -> None:
        """Queue the last page and let live events follow, in one step of the loop."""
        complete = Position(cursor.epoch, max(cursor.seq, self._position.seq))
        subscriber.after = complete.seq
        subscriber.pending = [*frames, wire.keep_alive(complete)]

    def _now(self, groups: Iterable[_Group]) -> Position:
        seq = max(self._position.seq, *(group.heard_from for group in groups), 0)
        return Position(self._position.epoch, seq)

    # Groups.

    def _group(self, name: str) -> _Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = _Group(name)
        return group

    def _drop(self, group: _Group) -> None:
        if self._groups.get(group.name) is group:
            del self._groups[group.name]

    async def _hear(self, groups: Iterable[_Group]) -> None:
        """Return when all groups are heard."""
        fresh = [group for group in groups if group.heard is None]
        if fresh:
            task = self._own(self._subscribe(fresh))
            for group in fresh:
                group.heard = task
        for task in {group.heard for group in groups if group.heard}:
            await asyncio.wait(
                [task]
            )  # which leaves it to the others if we are cancelled
            if task.cancelled():
                raise BrokerUnavailable("The hub is closing.")
            task.result()

    async def _subscribe(self, groups: list[_Group]) -> None:
        try:
            async with self._feed_lock:
                position = await self._feed.subscribe([group.name for group in groups])
        except BaseException:
            for group in groups:  # the next subscriber tries again
                self._drop(group)
            raise
        for group in groups:
            group.heard_from = position.seq

    async def _unsubscribe(self, names: Collection[str]) -> None:
        async with self._feed_lock:
            # One of them may have been wanted again in the meantime.
            await self._feed.unsubscribe([n for n in names if n not in self._groups])

    # Time.

    async def _tick(self) -> None:
        """The one timer: keep-alives, stuck connections, deserted groups, probes."""
        step = min(1, self._keep_alive / 4)
        probed = 0.0
        while True:
            await asyncio.sleep(step)
            now = time.monotonic()
            try:
                self._keep_all_alive(now)
                self._let_go(now)
                if now - probed >= PROBE_SECONDS:
                    probed = now
                    await self._feed.probe()
            except BrokerUnavailable:
                logger.info("The broker can't be probed")
            except Exception:
                logger.exception("The timer failed, and goes on")

    def _keep_all_alive(self, now: float) -> None:
        frames: dict[int, Frame] = {}
        for subscriber in self._subscribers:
            if subscriber.is_stuck(now, STUCK_SECONDS):
                logger.info(
                    "Cut a connection that took nothing for %s s", STUCK_SECONDS
                )
                subscriber.abort()
            elif subscriber.claim_keep_alive(now, self._keep_alive):
                seq = max(self._position.seq, subscriber.after)
                if seq not in frames:
                    position = Position(self._position.epoch, seq)
                    frames[seq] = wire.keep_alive(position)
                subscriber.after = seq
                subscriber.pending.append(frames[seq])
                self._dirty.append(subscriber)
        self._flush()

    def _let_go(self, now: float) -> None:
        deserted = [g for g, t in self._empty.items() if now - t >= LINGER_SECONDS]
        for group in deserted:
            del self._empty[group]
            self._drop(group)
        if deserted:
            self._own(self._unsubscribe([group.name for group in deserted]))

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if task is self._pumping and not self._closing:
            self._begin_anew(error)
        elif error and not isinstance(error, BrokerUnavailable):
            logger.error("The hub failed at %s", task.get_coro(), exc_info=error)

    def _begin_anew(self, error: BaseException | None) -> None:
        """Hear again after the pump has died, whatever it died of.

        What it had in hand is lost to the rings, so they are given up, and everybody
        comes back with their cursor.
        """
        logger.critical(
            "The hub heard nothing any more, and begins anew", exc_info=error
        )
        for subscriber in list(self._subscribers):
            subscriber.end(self.farewell("unavailable"))
        names = list(self._groups)
        self._groups.clear()
        self._empty.clear()
        self._dirty.clear()
        self._own(self._unsubscribe(names))
        self._pumping = self._own(self._pump())


def _up_to(page: Resumption, seq: int) -> Resumption:
    """Return the part of a page that ends at a seq."""
    if page.position.seq <= seq:
        return page
    events = [event for event in page.events if event.position.seq <= seq]
    return replace(page, events=events, position=Position(page.position.epoch, seq))


def _parts(frames: list[Frame]) -> Iterable[list[Frame]]:
    """Cut a page to what may wait for a connection at a time."""
    part: list[Frame] = []
    size = 0
    for frame in frames:
        if part and size + len(frame.sse) > MAX_PENDING:
            yield part
            part, size = [], 0
        part.append(frame)
        size += len(frame.sse)
    if part:
        yield part


class _Group:
    """A name that is heard, and who is subscribed to it."""

    __slots__ = ("heard", "heard_from", "last", "name", "ring", "subscribers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.subscribers: set[Subscriber] = set()
        self.ring = Ring()
        self.last = 0
        self.heard: asyncio.Task[None] | None = None
        """The feed's subscribing to it, done or under way."""
        self.heard_from = NEVER
        """Every event after this seq was heard."""

    def reaches(self, seq: int) -> bool:
        """Whether the ring holds every event after a seq."""
        return self.heard_from <= seq and self.ring.floor <= seq
