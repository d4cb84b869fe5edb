"""What this process hears: which groups, up to where, and the mending of gaps."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from sse_components import wire
from sse_components.brokers.base import (
    Broker,
    Delivery,
    Feed,
    Interruption,
    Resumption,
    Revocation,
    Watermark,
)
from sse_components.errors import BrokerUnavailable
from sse_components.events import NOWHERE, Event, Position, pattern_over
from sse_components.ring import Ring
from sse_components.subscriber import NEVER, Subscriber
from sse_components.wire import Frame

PROBE_SECONDS = 5
LINGER_SECONDS = 30
"""How long a group without subscribers is still heard, for those who reload."""
MAX_LINGERING = 10_000
"""Of more groups than this the oldest don't linger."""
HEAR_SECONDS = 3
"""How long a stream waits for its groups to be heard."""
EPOCH_SECONDS = 10
PAST_EPOCHS = 8
RING_MICROSECONDS = 60_000_000
PAGE_EVENTS = 2000
"""How many missed events are read at a time."""
BACKOFF_SECONDS = (0.05, 1.0)
"""The first and the longest pause before the broker is asked again."""

logger = logging.getLogger("sse_components.hub")


class Group:
    """A name that is heard, and who is subscribed to it."""

    __slots__ = (
        "heard_from",
        "held",
        "last",
        "name",
        "ring",
        "subscribers",
        "subscribing",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.subscribers: Collection[Subscriber] = ()
        self.held = 0
        """How many are about to subscribe, for whom it is to be heard already."""
        self.ring = Ring()
        self.last = 0
        """The newest event's seq."""
        self.subscribing: asyncio.Task[None] | None = None
        """The feed's, while it is under way."""
        self.heard_from = NEVER
        """Every event after this seq was heard."""

    def add(self, subscriber: Subscriber) -> None:
        """Make a connection one of its subscribers."""
        match self.subscribers:
            case set() as several:
                several.add(subscriber)
            case (other,) if other is not subscriber:
                self.subscribers = {other, subscriber}
            case _:  # most groups have one, and a set takes 216 bytes
                self.subscribers = (subscriber,)

    def discard(self, subscriber: Subscriber) -> None:
        """Forget a connection."""
        if isinstance(self.subscribers, set):
            self.subscribers.discard(subscriber)
        elif subscriber in self.subscribers:
            self.subscribers = ()

    def reaches(self, seq: int) -> bool:
        """Whether the ring holds every event after a seq."""
        return self.heard_from <= seq and self.ring.floor <= seq

    def follows(self, previous: int) -> bool:
        """Whether the event after a seq is the next one that was to be heard."""
        return previous <= self.last or previous <= self.heard_from

    def begin(self, seq: int) -> None:
        """Forget what came before a seq: it may be full of holes."""
        self.ring = Ring()
        self.last = seq
        if self.heard_from != NEVER:
            self.heard_from = seq


class Audience(Protocol):
    """Who is told what was heard."""

    def tell(self, group: Group, seq: int, frame: Frame) -> None:
        """Pass an event on to the subscribers of a group that haven't had it."""

    def reset(self, lost: Mapping[Group, int], present: Position) -> None:
        """Tell those who follow groups that these may have missed events up to a seq.

        Who is being brought up to date finds out by reading.
        """

    def reset_past(self, group: Group, seq: int) -> None:
        """Tell so all subscribers of one group that are past a seq, or may be."""

    def begin(self, present: Position) -> None:
        """Tell all subscribers that what they have is of a memory that was lost."""

    def lag(self) -> None:
        """Have all subscribers brought up to date, each from where it is."""

    def revoke(self, revocation: Revocation) -> None:
        """Take from the subscribers what they have no right to any more."""

    def doubt(self) -> None:
        """Count on no revocation after the present position being known."""

    def recall(self) -> None:
        """Find out what was revoked: of that something may not have been heard."""

    def flush(self) -> None:
        """Write what was passed on."""


class Hearing:
    """Keeps the promise that nothing is missing between a feed and its audience.

    The events of the feed are told in their order. Where one was missed, what comes
    after it waits until it was read from the broker, or its group is reset.
    """

    def __init__(
        self,
        broker: Broker,
        audience: Audience,
        own: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._broker = broker
        self._audience = audience
        self._own = own
        self._feed: Feed
        self._feed_lock = asyncio.Lock()
        self._groups: dict[str, Group] = {}
        self._empty: dict[Group, float] = {}
        """Groups without subscribers, and since when."""
        self._frame: tuple[Position, Frame] | None = None
        self._past: deque[str] = deque(maxlen=PAST_EPOCHS)
        self._begun = asyncio.Event()
        self._moved = asyncio.Event()
        self._doubtful = asyncio.Event()
        """Set when the feed is to be probed before it is time to."""
        self._given_up = False
        self._next: list[Group] | None = None
        """Groups that the next subscribing is for, while another is under way."""
        self.position = NOWHERE
        """All that was published up to here to the groups has been heard."""
        self.newest = 0
        """The newest event's seq."""

    async def start(self) -> None:
        """Begin to hear, on the running loop; if need be, once the broker is there."""
        self._feed = await self._broker.feed()
        with suppress(BrokerUnavailable):
            self.position = await self._broker.position()

    async def close(self) -> None:
        await self._feed.close()

    async def listen(self) -> None:
        """Tell the audience what is heard, until the feed is closed."""
        async for batch in self._feed:
            for announcement in batch:
                match announcement:
                    case Delivery():
                        await self._take(announcement)
                    case Watermark(position):
                        await self._reach(position)
                    case Revocation(position):
                        await self._reach(position)
                        self._audience.revoke(announcement)
                    case Interruption():
                        self._audience.doubt()  # before the position moves on
                        await self._mend_all()
                        self._audience.recall()
            self._audience.flush()
            self._moved.set()

    async def watch(self) -> None:
        """Probe the feed, for ever."""
        while True:
            pause = PROBE_SECONDS
            try:
                await self._feed.probe()
            except BrokerUnavailable as error:
                logger.info("The broker can't be probed: %s", error)
                pause = 1
            except Exception:
                logger.exception("Probing failed, and goes on")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._doubtful.wait()
            self._doubtful.clear()

    async def connect(self) -> None:
        """Return when the feed is heard; raises `BrokerUnavailable` if it isn't."""
        async with self._feed_lock:
            await self._feed.subscribe([])

    async def wait_for_another_epoch(self, epoch: str) -> None:
        """Return when another than this epoch is heard.

        Raises `BrokerUnavailable` if that doesn't come.
        """
        self._doubtful.set()
        try:
            async with asyncio.timeout(EPOCH_SECONDS):
                while self.position.epoch == epoch:
                    if self._given_up:
                        raise BrokerUnavailable("The hub has given up.")
                    await self._begun.wait()
        except TimeoutError:
            raise BrokerUnavailable("The broker's new epoch isn't heard.") from None

    async def wait_until(self, position: Position) -> None:
        """Return when all up to a position is heard, or its epoch is over.

        Raises `BrokerUnavailable` if neither comes.
        """
        self._doubtful.set()
        try:
            async with asyncio.timeout(EPOCH_SECONDS):
                while (
                    self.position.epoch == position.epoch
                    and self.position.seq < position.seq
                ):
                    if self._given_up:
                        raise BrokerUnavailable("The hub has given up.")
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise BrokerUnavailable("What was published isn't heard.") from None

    # What is heard.

    async def _reach(self, position: Position) -> None:
        if position.epoch != self.position.epoch:
            await self._mend_all()
        elif position.seq > self.position.seq:
            self.position = position

    async def _take(self, delivery: Delivery) -> None:
        event = delivery.event
        group = self._groups.get(delivery.name)
        if event.position.epoch in self._past:
            return
        if event.position.epoch != self.position.epoch:
            await self._mend_all()
            if event.position.epoch != self.position.epoch:
                return  # of a memory that is gone again
        elif group and not group.follows(delivery.previous):
            await self._mend(group, event.position.seq - 1)
        self._tell(delivery.name, event)

    def _tell(self, name: str, event: Event) -> None:
        position = event.position
        group = self._groups.get(name)
        if group and position.seq > group.last:
            # One that is heard under its group and its pattern comes twice in a row.
            if self._frame is None or self._frame[0] != position:
                self._frame = position, wire.event(event)
            frame = self._frame[1]
            group.last = position.seq
            group.ring.append(position.seq, frame)
            self._audience.tell(group, position.seq, frame)
        self.newest = max(self.newest, position.seq)
        if self.newest > self.position.seq:
            self.position = self._complete(event)

    def _complete(self, event: Event) -> Position:
        """Return up to where all is heard once an event was heard under a name.

        Its other name may come in another batch, and a moment later.
        """
        seq = event.position.seq
        for name in (event.group, pattern_over(event.group)):
            group = self._groups.get(name) if name else None
            if group and group.last < seq and group.heard_from < seq:
                return Position(event.position.epoch, seq - 1)
        return event.position

    # What was missed.

    async def _mend_all(self) -> None:
        """Read what the groups may have missed since the last that was heard.

        Up to the present of the first page: what is later, the feed has. And groups
        that are new since then know nothing of the pages.
        """
        logger.info("Reading what may have been missed")
        names: set[str] = set()
        cursor, until, more = self.position, 0, True
        while more:
            page = await self._read(cursor, names.copy if until else self._groups.keys)
            if not until:
                names, until = set(self._groups), page.present.seq
            if not page.usable:
                self._begin(page.position)
                return
            if page.lost:
                names -= page.lost.keys()
                lost = {
                    self._groups[name]: newest
                    for name, newest in page.lost.items()
                    if name in self._groups  # and not let go in the meantime
                }
                for group in lost:
                    group.begin(page.present.seq)
                self._audience.reset(lost, page.present)
            self._tell_page(page, names, until)
            cursor = Position(page.position.epoch, min(page.position.seq, until))
            more = page.more and cursor.seq < until
        if cursor.seq > self.position.seq:
            self.position = cursor

    async def _mend(self, group: Group, until: int) -> None:
        """Read what one group has missed up to a seq, although the feed didn't say so.

        Who is past the missing events already, because of another group, can't be
        given them any more: ids never go back.
        """
        logger.warning("An event was missed, and is fetched")
        known = max(group.last, 0 if group.heard_from == NEVER else group.heard_from)
        cursor, more = Position(self.position.epoch, known), True
        while more:
            page = await self._read(cursor, {group.name}.copy)
            if not page.usable:
                self._begin(page.position)
            elif page.lost:
                group.begin(page.present.seq)
                self._audience.reset_past(group, NEVER)  # who reads the ring already
                self._audience.reset({group: page.lost[group.name]}, page.present)
            elif page.events:
                self._audience.reset_past(group, page.events[0].position.seq)
                self._tell_page(page, {group.name}, until)
            cursor = page.position
            more = page.more and cursor.seq < until

    async def _read(
        self, cursor: Position, names: Callable[[], Collection[str]]
    ) -> Resumption:
        """Ask the broker until it answers, each time for the names there are."""
        self._audience.flush()
        pause = BACKOFF_SECONDS[0]
        while True:
            try:
                return await self._broker.resume(cursor, list(names()), PAGE_EVENTS)
            except BrokerUnavailable as error:
                logger.info("What was missed can't be read: %s", error)
            await asyncio.sleep(random.uniform(pause / 2, pause))
            pause = min(pause * 2, BACKOFF_SECONDS[1])

    def _tell_page(self, page: Resumption, names: Collection[str], until: int) -> None:
        for event in page.events:
            if event.position.seq > until:
                return
            for name in (event.group, pattern_over(event.group)):
                if name and name in names:
                    self._tell(name, event)

    def _begin(self, present: Position) -> None:
        """Go on from the present, without what was heard before."""
        epoch, self.position = self.position.epoch, present
        if epoch != present.epoch:
            self._past.append(epoch)
            with suppress(ValueError):  # it may come back, as a snapshot does
                self._past.remove(present.epoch)
        self.newest = present.seq
        for group in self._groups.values():
            group.begin(present.seq)
        if present.epoch == epoch:
            self._audience.lag()
            return
        logger.warning("The broker has no memory of before; all groups are reset")
        self._audience.begin(present)
        self._begun.set()
        self._begun = asyncio.Event()

    # Groups.

    def join(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """Make a connection a subscriber of groups."""
        subscriber.groups = tuple(self._group(name) for name in names)
        for group in subscriber.groups:
            group.add(subscriber)
            self._empty.pop(group, None)

    def leave(self, subscriber: Subscriber) -> None:
        """End what `join` has begun."""
        self._leave(subscriber, subscriber.groups)

    def _leave(self, subscriber: Subscriber, groups: Iterable[Group]) -> None:
        for group in groups:
            group.discard(subscriber)
            self._see(group)

    def _see(self, group: Group) -> None:
        """Note a group that nobody has or is about to have."""
        if not group.subscribers and not group.held:
            self._empty[group] = time.monotonic()

    def hold(self, names: Iterable[str]) -> list[Group]:
        """Return groups that somebody may join later, and have them kept until then."""
        groups = [self._group(name) for name in names]
        for group in groups:
            group.held += 1
            self._empty.pop(group, None)
        return groups

    def let(self, groups: Iterable[Group]) -> None:
        """End what `hold` has begun."""
        for group in groups:
            group.held -= 1
            self._see(group)

    def join_later(
        self, subscriber: Subscriber, groups: Collection[Group], since: int
    ) -> None:
        """Make a connection a subscriber of groups that are held, after a seq."""
        subscriber.follow(groups, since)
        for group in groups:
            group.add(subscriber)
            self._empty.pop(group, None)

    def leave_early(self, subscriber: Subscriber, names: Collection[str]) -> None:
        """End the subscribing to some groups."""
        left = [group for group in subscriber.groups if group.name in names]
        subscriber.unfollow(names)
        self._leave(subscriber, left)

    async def hear(self, groups: Iterable[Group]) -> None:
        """Return when all groups are heard."""
        unheard = [group for group in groups if group.heard_from == NEVER]
        if fresh := [group for group in unheard if group.subscribing is None]:
            if self._next is None:
                self._next = []
                self._joining = self._own(self._subscribe(self._next))
            self._next += fresh
            for group in fresh:
                group.subscribing = self._joining
        tasks = {group.subscribing for group in unheard if group.subscribing}
        if tasks:
            await asyncio.sleep(0)  # the embedded broker needs no more
        if late := [task for task in tasks if not task.done()]:
            # Waiting like this leaves them to the others if we are cancelled.
            _, later = await asyncio.wait(late, timeout=HEAR_SECONDS)
            if later:
                raise BrokerUnavailable("The groups can't be heard in time.")
        for task in tasks:
            if task.cancelled():
                raise BrokerUnavailable("The hub has given up.")
            task.result()

    def give_up(self) -> None:
        """Wait no longer for groups to be heard."""
        self._given_up = True
        self._begun.set()
        self._moved.set()
        for group in self._groups.values():
            if group.subscribing:
                group.subscribing.cancel()

    def now(self, groups: Iterable[Group]) -> Position:
        """Return a position from which on all of the groups is heard."""
        seq = max(self.position.seq, *(group.heard_from for group in groups), 0)
        return Position(self.position.epoch, seq)

    def let_go(self, now: float) -> None:
        """Stop to hear groups that have been without subscribers for a while.

        And forget what is too old for those who come back at once.
        """
        for group in self._groups.values():
            group.ring.expire(self.position.seq - RING_MICROSECONDS)
        too_many = len(self._empty) - MAX_LINGERING
        deserted = [
            group
            for number, (group, since) in enumerate(self._empty.items())
            if number < too_many or now - since >= LINGER_SECONDS
        ]
        for group in deserted:
            del self._empty[group]
            self._drop(group)
        if deserted:
            self._own(self._unsubscribe([group.name for group in deserted]))

    def forget(self) -> None:
        """Give up all groups, whose subscribers have been sent away."""
        names = list(self._groups)
        self._groups.clear()
        self._empty.clear()
        self._own(self._unsubscribe(names))

    def count(self, name: str) -> int:
        """Return how many connections hear a group."""
        group = self._groups.get(name)
        return len(group.subscribers) if group else 0

    @property
    def groups(self) -> int:
        """How many names are heard."""
        return len(self._groups)

    def names(self) -> Iterable[str]:
        """Return the names that are heard."""
        return self._groups.keys()

    def _group(self, name: str) -> Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name)
        return group

    def _drop(self, group: Group) -> None:
        if self._groups.get(group.name) is group:
            del self._groups[group.name]

    async def _subscribe(self, groups: list[Group]) -> None:
        try:
            async with self._feed_lock:
                self._next = None  # who comes from now on needs another one
                position = await self._feed.subscribe([group.name for group in groups])
        except BaseException:
            for group in groups:  # the next subscriber tries again
                self._drop(group)
            raise
        # If the epoch has changed meanwhile, or is about to, it is another's position.
        same = position.epoch == self.position.epoch
        seq = position.seq if same else self.position.seq
        for group in groups:
            group.heard_from = max(seq, group.last)
            group.subscribing = None

    async def _unsubscribe(self, names: Collection[str]) -> None:
        async with self._feed_lock:
            # One of them may have been wanted again in the meantime.
            await self._feed.unsubscribe([n for n in names if n not in self._groups])
