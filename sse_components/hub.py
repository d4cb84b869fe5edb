"""This process's subscribers: fan-out, resume, keep-alives, the end of streams."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import (
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, suppress
from math import inf
from typing import Any, Protocol

from sse_components import wire
from sse_components.brokers.base import (
    LEASE_SECONDS,
    Broker,
    Revocation,
    Transition,
)
from sse_components.errors import BrokerUnavailable
from sse_components.events import NOWHERE, Position, names_over
from sse_components.hearing import Group, Hearing
from sse_components.meters import Census, Meters
from sse_components.node import Node
from sse_components.patience import Patience
from sse_components.progress import Progress
from sse_components.replay import Greeting, Replay
from sse_components.revocations import NOBODY, Revocations, Whose, may_return
from sse_components.spread import spread_for, spread_of_all_for
from sse_components.subscriber import MAX_PENDING, NEVER, Subscriber, Transport
from sse_components.visits import Visits
from sse_components.wire import Farewell, Frame

STUCK_SECONDS = 30
GATHERED_BYTES = MAX_PENDING // 4
"""Over so many, events wait for no others."""
RETRY_MILLISECONDS = (500, 3000)
"""Over which ended streams are told to come back."""
RECALLED_SECONDS = 3
"""How long a stream waits until it is known what was revoked."""
RECALL_SECONDS = (0.05, 1.0)
"""The first and the longest pause before revocations are read again."""
REVOKED = "What this stream was granted has been revoked."

logger = logging.getLogger("sse_components.hub")


class Watcher(Protocol):
    """Who is told of connections that open and end."""

    def came(
        self, subscriber: Subscriber, connection: str, denied: Sequence[str]
    ) -> None:
        """Note one that has opened, and which groups it has asked for in vain."""

    def refused(self, subscriber: Subscriber, names: Sequence[str]) -> None:
        """Note which groups one has asked for in vain while it was open."""

    def went(self, subscriber: Subscriber) -> None:
        """Note one that is over."""


class Hub:
    """Connects the one feed of a process with all its connections.

    Never a silent gap: a subscriber gets every event of its groups after its cursor
    once, in order, or a `stream-reset` that names the group. What a connection is
    sent never goes back in seq, so an event heard under two names is sent once.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        keep_alive: float = 15,
        rotate: float = 900,
        lease: float = LEASE_SECONDS,
        is_reserved: Callable[[str], bool] = lambda name: False,
        is_watched: Callable[[str], bool] = lambda name: False,
        told: Callable[[Sequence[Transition]], None] = lambda transitions: None,
    ) -> None:
        """`is_watched` says of which groups it is told who is in them.

        `is_reserved` says which names no pattern covers.
        `told` is given those who come and go, each once in all processes together.
        """
        self.meters = Meters()
        self._hearing = Hearing(broker, self, self._own)
        self._replay = Replay(broker, self._hearing, self, self.meters)
        self._node = Node(broker, lease, self._hearing, is_watched, self._tell_of)
        self._told = told
        self._broker = broker
        self._visits = Visits()
        self._recalled = asyncio.Event()
        """Set while it is known what was revoked."""
        self._recalls = 0
        self._judged = NOWHERE
        """Where it was known last."""
        self.revocations = Revocations(is_reserved)
        self._keep_alive = keep_alive
        self._rotate = rotate
        self._subscribers: set[Subscriber] = set()
        self._dirty: list[Subscriber] = []
        self._patience = Patience()
        self._waiting: asyncio.TimerHandle | None = None
        """For what is to be written with what is there."""
        self._seqs: list[int] = []
        """Of the events that are there."""
        self._gathered = 0
        """Bytes of the events that are there, each once."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Task[None] | None = None
        self.watcher: Watcher | None = None
        self._draining = False
        self._closing = False
        self._deserted = asyncio.Event()
        """Set when the last subscriber leaves."""

    @property
    def position(self) -> Position:
        """A position that is not after anything read from now on."""
        return self._hearing.position

    @property
    def is_recalled(self) -> bool:
        """Whether it is known what was revoked."""
        return self._recalled.is_set()

    @property
    def judged(self) -> Position:
        """A position up to which every revocation is known, `NOWHERE` if there is none.

        What is decided from now on is granted at this position: a revocation that
        isn't known yet comes after it.
        """
        position = self.position  # first: a thread may ask while the loop goes on
        return position if self.is_recalled else self._judged

    @property
    def connections(self) -> int:
        return len(self._subscribers)

    def census(self) -> Census:
        """Count what is open; may be called from any thread."""
        subscribers = list(self._subscribers)  # in one step, while the loop goes on
        return Census(
            Counter(subscriber.kind for subscriber in subscribers),
            sum(subscriber.size for subscriber in subscribers),
            self._hearing.groups,
            self._node.users,
        )

    @property
    def draining(self) -> bool:
        return self._draining

    def reached(self, subscriber: Subscriber) -> int:
        """Return the seq up to which a connection was handed all that is its own."""
        is_complete = not (subscriber.busy or subscriber.pending or subscriber.ended)
        if is_complete and subscriber.after != NEVER:
            return self._complete(subscriber).seq
        return subscriber.handed

    def of(self, subject: str) -> Sequence[Subscriber]:
        """Return the connections of a subject of revocations."""
        return self._visits.of(subject)

    def hears(self, name: str) -> int:
        """Return how many connections hear a group."""
        return self._hearing.count(name)

    def note_refusal(self, subscriber: Subscriber, names: Sequence[str]) -> None:
        """Have it known that a connection has asked for groups in vain."""
        if self.watcher:
            self.watcher.refused(subscriber, names)

    def send_away(self, subscriber: Subscriber) -> None:
        """End one connection, for its client to come back."""
        subscriber.end(self.farewell("rotated"))

    async def start(self) -> None:
        """Begin to hear, on the running loop."""
        await self._hearing.start()
        self._listening = self._own(self._hearing.listen())
        self._own(self._hearing.watch())
        self._own(self._tick())
        self._own(self._node.report())
        self._own(self._node.sweep())
        self.recall()

    async def close(self) -> None:
        """Cut what is still open and stop to hear."""
        self._closing = True
        if self._waiting:
            self._waiting.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for subscriber in list(self._subscribers):
            subscriber.abort()
            await self.leave(subscriber)
        await self._hearing.close()

    async def drain(self, seconds: float) -> None:
        """End all streams, tell each when to come back, and cut what is left then."""
        self._draining = True
        withdrawal = self._own(self._node.withdraw())
        for subscriber in list(self._subscribers):
            subscriber.end(self.farewell("shutdown"))
        self._hearing.give_up()
        self._replay.give_up()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if self._subscribers:
                    self._deserted.clear()
                    await self._deserted.wait()
                await asyncio.wait([withdrawal])
        for subscriber in list(self._subscribers):
            subscriber.abort()

    def farewell(self, reason: wire.Reason) -> Farewell:
        """The frame that ends one stream, with a moment of its own to come back."""
        return wire.stream_close(reason, random.randint(*RETRY_MILLISECONDS))

    async def open(
        self,
        transport: Transport,
        names: Collection[str],
        cursor: Position | Progress | None,
        greeting: Greeting,
        whose: Whose = NOBODY,
        lasts: float = inf,
        kind: str = "sse",
        connection: str = "",
        denied: Sequence[str] = (),
    ) -> Subscriber:
        """Subscribe a connection and bring it up to date.

        Without a cursor it hears what is published from now on. After `lasts` seconds
        at most it is ended, and has to come back. The caller calls `leave` when the
        connection is gone, whoever ended it.
        """
        subscriber = Subscriber(transport, self, whose, kind)
        self.meters.opened[kind] += 1
        lasts = min(lasts, self._rotate * random.uniform(0.75, 1.25))
        subscriber.until = time.monotonic() + lasts
        self._hearing.join(subscriber, names)
        self._subscribers.add(subscriber)
        self._visits.add(subscriber)
        self._node.add(whose.user, names, comes=True)
        if self.watcher:
            self.watcher.came(subscriber, connection, denied)
        if self._draining:
            subscriber.end(self.farewell("shutdown"))
        try:
            with self._unavailable_ends(subscriber):
                await self._replay.open(subscriber, cursor, greeting)
            await subscriber.run()
        except BaseException:
            await self.leave(subscriber)
            raise
        return subscriber

    async def subscribe(
        self,
        subscriber: Subscriber,
        names: Collection[str],
        cursor: Position | Progress | None,
        answer: Sequence[Frame],
        whose: Whose = NOBODY,
    ) -> None:
        """Answer, and bring a connection up to date with groups it hasn't yet.

        Without a cursor it hears what is published from now on. Ends with a keep-alive.
        From now on the stream is also theirs whom the groups were granted to.
        """

        async def errand() -> None:
            groups = self._hearing.hold(names)
            try:
                with self._unavailable_ends(subscriber):
                    await self._replay.add(subscriber, groups, cursor, answer)
                joined = [group.name for group in groups if group in subscriber.groups]
                self._node.add(subscriber.whose.user, joined, comes=False)
            finally:
                self._hearing.let(groups)
            # While they were on their way, no revocation could tell they were meant.
            if self.revocations.among(subscriber.whose, names):
                self._cut_off(subscriber, self.farewell("regrant"))

        if whose is not NOBODY:
            self._visits.remove(subscriber)
            subscriber.whose = subscriber.whose.also(whose)
            self._visits.add(subscriber)
        await subscriber.do(errand)

    async def unsubscribe(
        self, subscriber: Subscriber, names: Collection[str], answer: Sequence[Frame]
    ) -> None:
        """Take groups from a connection, and answer."""

        async def errand() -> None:
            left = [one.name for one in subscriber.groups if one.name in names]
            self._node.remove(subscriber.whose.user, left, goes=False)
            self._hearing.leave_early(subscriber, names)
            await subscriber.write([*subscriber.take(), *answer])

        await subscriber.do(errand)

    async def answer(self, subscriber: Subscriber, frame: Frame) -> None:
        """Write something to one connection, in between events."""

        async def errand() -> None:
            await subscriber.write([*subscriber.take(), frame])

        await subscriber.do(errand)

    async def pong(self, subscriber: Subscriber) -> None:
        """Answer a ping, after all that the connection is to have before."""

        async def errand() -> None:
            position = self._complete(subscriber)
            subscriber.release(position.seq, [*subscriber.pending, wire.pong(position)])

        await subscriber.do(errand)

    async def leave(self, subscriber: Subscriber) -> None:
        """Forget a connection."""
        if subscriber in self._subscribers:
            if self.watcher:
                self.watcher.went(subscriber)
            self._subscribers.remove(subscriber)
            self._visits.remove(subscriber)
            names = [group.name for group in subscriber.groups]
            self._node.remove(subscriber.whose.user, names, goes=True)
        self._hearing.leave(subscriber)
        if not self._subscribers:
            self._deserted.set()
        await subscriber.close()

    def _tell_of(self, transitions: Sequence[Transition]) -> None:
        self.meters.transitions.update(one.type for one in transitions)
        self._told(transitions)

    async def catch_up(self, subscriber: Subscriber) -> None:
        with self._unavailable_ends(subscriber):
            await self._replay.catch_up(subscriber)

    @contextmanager
    def _unavailable_ends(self, subscriber: Subscriber) -> Iterator[None]:
        try:
            yield
        except BrokerUnavailable:
            subscriber.end(self.farewell("unavailable"))

    def spread(self, names: Iterable[str]) -> int:
        # A page that has a group and its pattern counts twice, but no stream does more.
        hearing = sum(map(self._hearing.count, names))
        return spread_for(min(hearing, len(self._subscribers)))

    def spread_of_all(self) -> int:
        return spread_of_all_for(len(self._subscribers))

    # Fan-out, as `Hearing` asks for it: nothing in here waits.

    def tell(self, group: Group, seq: int, frame: Frame) -> None:
        if frame.fetches:
            frame = frame.spread_over(self.spread(names_over(frame.group)))
        size = len(frame.sse)
        if self._seqs[-1:] != [seq]:  # else it came under its pattern, too
            self._seqs.append(seq)
        self._gathered += size
        handed = 0
        for subscriber in group.subscribers:
            if seq > subscriber.after:
                handed += 1
                subscriber.after = seq
                if not subscriber.pending:
                    self._dirty.append(subscriber)
                subscriber.pending.append(frame)
                subscriber.size += size
                if subscriber.size > MAX_PENDING:
                    subscriber.overflow()
                    self.meters.slow["behind"] += 1
        self.meters.deliveries += handed

    def flush(self) -> None:
        if self._waiting is None:
            self._write_or_wait()
        elif self._gathered > GATHERED_BYTES:
            self._waiting.cancel()
            self._patience.stop(len(self._seqs))
            self._write()

    def _write_or_wait(self) -> None:
        dirty, events = len(self._dirty), len(self._seqs)
        pause = self._patience.pause(time.monotonic(), dirty, events)
        if pause:
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(pause, self._write_or_wait)
        else:
            self._write()

    def _write(self) -> None:
        self._waiting = None
        self._gathered = 0
        seqs, self._seqs = self._seqs, []
        now = time.monotonic()
        dirty, self._dirty = self._dirty, []
        for subscriber in dirty:
            subscriber.flush(now)
        self._patience.wrote(time.monotonic() - now)
        if seqs:
            self.meters.events += len(seqs)
            self.meters.latency.add_ages(time.time() * 1e6, seqs)

    def reset(self, lost: Mapping[Group, int], present: Position) -> None:
        losers: dict[Subscriber, set[str]] = {}
        for group, newest in lost.items():
            for subscriber in group.subscribers:
                if subscriber.after < newest:
                    losers.setdefault(subscriber, set()).add(group.name)
        spread, spread_of_all = spread_for(len(losers)), spread_of_all_for(len(losers))
        self.meters.resets["missed"] += len(losers)
        for subscriber, names in losers.items():
            subscriber.note(dict.fromkeys(names, present.seq))
            if len(names) == len(subscriber.groups):  # a new start
                subscriber.after = present.seq
                frame = wire.stream_reset(present, names, spread_of_all)
            else:
                frame = wire.stream_reset(None, names, spread)
            self._queue(subscriber, frame)

    def reset_past(self, group: Group, seq: int) -> None:
        for subscriber in group.subscribers:
            if subscriber.after >= seq:
                self.meters.resets["missed"] += 1
                subscriber.owed |= {group.name}
                subscriber.overflow()  # and is reset when it catches up
                self._dirty.append(subscriber)

    def begin(self, present: Position) -> None:
        frames: dict[tuple[str, ...], Frame] = {}
        spread = self.spread_of_all()
        for subscriber in self._subscribers:
            subscriber.begin(present.seq)
            if subscriber.after == NEVER:
                continue
            names = tuple(group.name for group in subscriber.groups)
            if names not in frames:
                frames[names] = wire.stream_reset(present, names, spread)
            subscriber.after = present.seq
            self.meters.resets["epoch"] += 1
            self._queue(subscriber, frames[names])
        self._node.hurry()
        self.revocations.clear()
        self._recalled.clear()
        self._judged = NOWHERE
        self.recall()

    def lag(self) -> None:
        for subscriber in self._subscribers:
            if subscriber.after != NEVER:
                subscriber.overflow()
                self._dirty.append(subscriber)

    def revoke(self, revocation: Revocation) -> None:
        if revocation.position.epoch != self.position.epoch:
            return  # of a memory that is gone, or that will be read when it is heard
        if not self.revocations.add(revocation):
            return
        for subscriber in self._visits.of(revocation.subject):
            if not subscriber.whose.is_before(revocation.position):
                continue
            if not revocation.pattern and not may_return(revocation):
                self._cut_off(subscriber, wire.stream_error("revoked", REVOKED))
            elif not revocation.pattern or any(
                self.revocations.takes(revocation.pattern, group.name)
                for group in subscriber.groups
            ):
                self._cut_off(subscriber, self.farewell("regrant"))

    def _cut_off(self, subscriber: Subscriber, farewell: Farewell) -> None:
        """End a stream that is to get nothing more, however long it takes to end."""
        self._hearing.leave(subscriber)
        subscriber.drop()
        subscriber.end(farewell)

    def doubt(self) -> None:
        self._judged = self.judged
        self._recalled.clear()

    def recall(self) -> None:
        self._recalls += 1
        self._own(self._recall(self._recalls))

    async def recalled(self) -> None:
        """Return when it is known what was revoked; raises `BrokerUnavailable`."""
        if self._recalled.is_set():
            return
        try:
            async with asyncio.timeout(RECALLED_SECONDS):
                await self._recalled.wait()
        except TimeoutError:
            raise BrokerUnavailable("What was revoked can't be read.") from None

    async def _recall(self, number: int) -> None:
        pause = RECALL_SECONDS[0]
        while True:
            try:
                await self._hearing.connect()  # what is revoked from now on is heard
                if self.position == NOWHERE:
                    await self._hearing.wait_for_another_epoch(NOWHERE.epoch)
                revocations = await self._broker.revocations()
                break
            except BrokerUnavailable as error:
                logger.info("What was revoked can't be read: %s", error)
            await asyncio.sleep(random.uniform(pause / 2, pause))
            pause = min(pause * 2, RECALL_SECONDS[1])
        for revocation in revocations:
            self.revoke(revocation)
        if number == self._recalls:  # else they are read again
            self._recalled.set()

    def _queue(self, subscriber: Subscriber, frame: Frame) -> None:
        if not subscriber.pending:
            self._dirty.append(subscriber)
        subscriber.pending.append(frame)

    # Time.

    async def _tick(self) -> None:
        """The one timer: keep-alives, stuck and old connections, deserted groups."""
        step = min(1, self._keep_alive / 4)
        while True:
            await asyncio.sleep(step)
            now = time.monotonic()
            try:
                self._keep_all_alive(now)
                self._hearing.let_go(now)
            except Exception:
                logger.exception("The timer failed, and goes on")

    def _keep_all_alive(self, now: float) -> None:
        frames: dict[int, Frame] = {}
        for subscriber in self._subscribers:
            if subscriber.is_stuck(now, STUCK_SECONDS):
                logger.info(
                    "Cut a connection that took nothing for %s s", STUCK_SECONDS
                )
                subscriber.stuck = True
                subscriber.abort()
                self.meters.slow["cut"] += 1
            elif now >= subscriber.until:
                subscriber.end(wire.stream_close("rotated", RETRY_MILLISECONDS[0]))
            elif subscriber.claim_keep_alive(now, self._keep_alive):
                position = self._complete(subscriber)
                if position.seq not in frames:
                    frames[position.seq] = wire.keep_alive(position)
                subscriber.after = position.seq
                subscriber.pending.append(frames[position.seq])
                self._dirty.append(subscriber)
        self.flush()

    def _complete(self, subscriber: Subscriber) -> Position:
        """Return up to where a subscriber has all, with what is pending for it."""
        seq = max(self.position.seq, subscriber.after)
        return Position(self.position.epoch, seq)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if task is self._listening and not self._closing:
            self._begin_anew(error)
        elif error and not isinstance(error, BrokerUnavailable):
            logger.error("The hub failed at %s", task.get_coro(), exc_info=error)

    def _begin_anew(self, error: BaseException | None) -> None:
        """Hear again after the listening has died, whatever it died of.

        What it had in hand is lost to the rings, so they are given up, and everybody
        comes back with their cursor.
        """
        logger.critical(
            "The hub heard nothing any more, and begins anew", exc_info=error
        )
        for subscriber in list(self._subscribers):
            subscriber.end(self.farewell("unavailable"))
        self._dirty.clear()
        self._hearing.forget()
        self._listening = self._own(self._hearing.listen())
