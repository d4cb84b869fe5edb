"""The embedded broker: one process, its memory, nothing to install."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from heapq import merge
from itertools import islice
from threading import Lock

from sse_components.brokers.attendance import Attendance, Moment
from sse_components.brokers.base import (
    GRACE_SECONDS,
    LARGE_GROUP,
    LEASE_SECONDS,
    Announcement,
    Audience,
    Broker,
    Delivery,
    Feed,
    Idempotency,
    Membership,
    Published,
    Report,
    Resumption,
    Revocation,
    Statuses,
    Transition,
    Watermark,
    check_line,
    check_report,
    check_user,
)
from sse_components.brokers.revoked import Revoked
from sse_components.errors import IdempotencyConflict
from sse_components.events import (
    Draft,
    Event,
    Position,
    check_group,
    check_subscribable,
    is_pattern,
    pattern_over,
)
from sse_components.meters import Tally

IDEMPOTENCY_SECONDS = 300
MAX_DESERTED = 10_000
"""Patterns that are kept noted without a subscriber. One more forgets the oldest,
whose subscribers get a reset when they come back."""


def microseconds() -> int:
    return time.time_ns() // 1000


class MemoryBroker(Broker):
    """All is done under one lock and nothing waits, so any thread may publish."""

    def __init__(
        self,
        *,
        history_size: int = 1000,
        history_seconds: float = 300,
        group_memory_seconds: float = 86_400,
        presence_lease_seconds: float = LEASE_SECONDS,
        presence_grace_seconds: float = GRACE_SECONDS,
        large_group: int = LARGE_GROUP,
        clock: Callable[[], int] = microseconds,
    ) -> None:
        self.published = Tally()
        self._clock = clock
        self._size = history_size
        self._history_age = int(history_seconds * 1e6)
        self._memory_age = int(group_memory_seconds * 1e6)
        self._lock = Lock()
        self._epoch = secrets.token_hex(4)
        self._seq = clock()
        self._forgotten = self._seq
        """Of the groups that are no longer known, the greatest seq."""
        self._groups: OrderedDict[str, _History] = OrderedDict()
        """The group published to most recently comes last."""
        self._patterns: dict[str, _History] = {}
        self._deserted: OrderedDict[str, int] = OrderedDict()
        """Noted patterns that nobody is subscribed to, and since when."""
        self._kept: OrderedDict[str, _History] = OrderedDict()
        """Those with events, by group or pattern; the last appended to comes last."""
        self._hearers: dict[str, tuple[MemoryFeed, ...]] = {}
        """By name; where it is one feed, as nearly everywhere, it is the same tuple."""
        self._feeds: set[MemoryFeed] = set()
        self._listeners: tuple[MemoryFeed, ...] = ()
        """The feeds that hear every name."""
        self._calls: OrderedDict[str, tuple[int, str, list[Published]]] = OrderedDict()
        self._revoked = Revoked()
        self._attendance = Attendance(
            lambda *event: self._store(Draft(*event), self._clock()),
            int(presence_lease_seconds * 1e6),
            int(presence_grace_seconds * 1e6),
            large_group,
        )

    async def check(self) -> None:
        pass  # there is nothing that could be set up wrongly

    def publish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        with self._lock:
            now = self._clock()
            self._forget(now)
            if idempotency and idempotency.key in self._calls:
                return self._repeated(idempotency)
            published = [Published(self._store(draft, now), False) for draft in drafts]
            self.published.add(len(published))
            if idempotency:
                expires = now + int(IDEMPOTENCY_SECONDS * 1e6)
                call = (expires, idempotency.fingerprint, published)
                self._calls[idempotency.key] = call
            self._wake()
        return published

    async def apublish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        return self.publish(drafts, idempotency)

    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        with self._lock:
            now = self._clock()
            self._forget(now)
            present = self._present(now)
            newest = {
                name: history.last
                for name in names
                if (history := self._history(name)) is not None
            }
            if (
                cursor.epoch != self._epoch
                or cursor.seq > present.seq
                or cursor.seq < self._oldest(now)
            ):
                lost = dict.fromkeys(names, present.seq)
                return Resumption(present, [], lost, present, False, False, newest)
            lost, missed = {}, []
            for name in names:
                history = self._history(name)
                if history:
                    history.expire(now - self._history_age)
                if history.floor > cursor.seq if history else is_pattern(name):
                    lost[name] = history.last if history else present.seq
                elif history:
                    missed.append(history.after(cursor.seq, limit + 1))
        events: list[Event] = []
        for event in merge(*missed, key=lambda event: event.position.seq):
            if events and events[-1].position == event.position:
                continue
            if len(events) == limit:
                end = events[-1].position
                return Resumption(end, events, lost, present, True, True, newest)
            events.append(event)
        return Resumption(present, events, lost, present, True, False, newest)

    async def history(self, group: str, limit: int) -> Resumption:
        check_group(group)
        with self._lock:
            now = self._clock()
            self._forget(now)
            present = self._present(now)
            events: list[Event] = []
            if history := self._groups.get(group):
                history.expire(present.seq - self._history_age)
                events = list(islice(history.events, limit + 1))
        if len(events) <= limit:
            return Resumption(present, events, {}, present, True, False)
        del events[limit:]
        return Resumption(events[-1].position, events, {}, present, True, True)

    async def position(self) -> Position:
        with self._lock:
            return self._present(self._clock())

    async def note(self, patterns: Collection[str]) -> Position:
        with self._lock:
            now = self._clock()
            self._forget(now)
            position = self._present(now)
            for name in patterns:
                self._patterns.setdefault(name, _History(position.seq))
                if name not in self._hearers:
                    self._desert(name)
            return position

    async def feed(self) -> Feed:
        feed = MemoryFeed(self, asyncio.get_running_loop())
        with self._lock:
            self._feeds.add(feed)
        return feed

    def revoke(self, subject: str, pattern: str, seconds: float) -> Position:
        check_line("A subject", subject)
        check_line("A pattern", pattern)
        with self._lock:
            position = self._next(self._clock())
            revocation = Revocation(position, subject, pattern)
            self._revoked.note(revocation, position.seq + int(seconds * 1e6))
            for feed in self._feeds:
                feed.put(revocation)
            self._wake()
        return position

    async def arevoke(self, subject: str, pattern: str, seconds: float) -> Position:
        return self.revoke(subject, pattern, seconds)

    async def revocations(self) -> Sequence[Revocation]:
        with self._lock:
            return self._revoked.current(self._present(self._clock()).seq)

    async def report(self, report: Report) -> list[Transition] | None:
        check_report(report)
        with self._step() as moment:
            return self._attendance.report(report, moment)

    async def withdraw(self, node: str, grace_seconds: float | None = None) -> None:
        grace = None if grace_seconds is None else int(grace_seconds * 1e6)
        with self._step() as moment:
            self._attendance.withdraw(node, moment, grace)

    async def sweep(self, limit: int = 1000) -> list[Transition]:
        with self._step() as moment:
            return self._attendance.sweep(limit, moment)

    def members(self, group: str) -> Membership:
        check_group(group)
        with self._lock:
            present = self._present(self._clock())
            return Membership(present, self._attendance.members(group))

    async def amembers(self, group: str) -> Membership:
        return self.members(group)

    def statuses(self, users: Sequence[str]) -> Statuses:
        for user in users:
            check_user(user)
        with self._lock:
            present = self._present(self._clock())
            status = self._attendance.status
            return Statuses(present, [status(user, present.seq) for user in users])

    async def astatuses(self, users: Sequence[str]) -> Statuses:
        return self.statuses(users)

    def subscribers(self, groups: Sequence[str]) -> list[int]:
        for group in groups:
            check_subscribable(group)
        with self._lock:
            return [self._attendance.subscribers(group) for group in groups]

    async def asubscribers(self, groups: Sequence[str]) -> list[int]:
        return self.subscribers(groups)

    def groups(self, prefix: str, after: str, limit: int) -> Sequence[Audience]:
        with self._lock:
            return self._attendance.groups(prefix, after, limit)

    async def agroups(self, prefix: str, after: str, limit: int) -> Sequence[Audience]:
        return self.groups(prefix, after, limit)

    async def close(self) -> None:
        for feed in list(self._feeds):
            await feed.close()

    def _oldest(self, now: int) -> int:
        """Return the seq from which on no group has been forgotten."""
        return max(self._forgotten, now - self._memory_age)

    def _present(self, now: int) -> Position:
        # Handing out the time, and not the last event's seq, keeps the cursors of
        # silent groups young.
        self._seq = max(self._seq, now)
        return Position(self._epoch, self._seq)

    def _next(self, now: int) -> Position:
        self._seq = max(self._seq + 1, now)
        return Position(self._epoch, self._seq)

    @contextmanager
    def _step(self) -> Iterator[Moment]:
        """Let presence do something, which may publish."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            yield Moment(now, max(self._seq, now))
            self._present(now)
            self._wake()

    def _wake(self) -> None:
        for feed in [feed for feed in self._feeds if not feed.wake()]:
            self._remove(feed)

    def _store(self, draft: Draft, now: int) -> Position:
        position = self._next(now)
        event = Event(position, draft.group, draft.type, draft.payload, draft.sender)
        history = self._groups.get(draft.group)
        if history is None:
            history = self._groups[draft.group] = _History()
        else:
            self._groups.move_to_end(draft.group)
        self._append(history, draft.group, event)
        pattern = pattern_over(draft.group)
        if pattern and (history := self._patterns.get(pattern)):
            self._append(history, pattern, event)
        return position

    def _append(self, history: _History, name: str, event: Event) -> None:
        history.expire(event.position.seq - self._history_age)
        previous = history.append(event, self._size)
        self._kept[name] = history
        self._kept.move_to_end(name)
        hearers = self._hearers.get(name, ())
        for feed in hearers:
            feed.put(Delivery(name, previous, event))
        for feed in self._listeners:
            if feed not in hearers:
                feed.put(Delivery(name, previous, event))

    def _history(self, name: str) -> _History | None:
        return (self._patterns if is_pattern(name) else self._groups).get(name)

    def _repeated(self, idempotency: Idempotency) -> list[Published]:
        _, fingerprint, published = self._calls[idempotency.key]
        if fingerprint != idempotency.fingerprint:
            raise IdempotencyConflict(
                "The idempotency key was used in the last 5 minutes with another body."
            )
        return [replace(one, duplicate=True) for one in published]

    def _forget(self, now: int) -> None:
        """Drop what is too old: events, groups, patterns, calls, oldest first."""
        too_old = now - self._history_age
        while self._kept:
            name, history = next(iter(self._kept.items()))
            if history.last >= too_old:
                break
            history.expire(too_old)
            del self._kept[name]
        too_old = now - self._memory_age
        while self._groups:
            name, history = next(iter(self._groups.items()))
            if history.last >= too_old:
                break
            self._forgotten = max(self._forgotten, history.last)
            del self._groups[name]
        while self._deserted:
            name, since = next(iter(self._deserted.items()))
            if since >= too_old:
                break
            self._forget_pattern(name)
        while self._calls:
            key, call = next(iter(self._calls.items()))
            if call[0] >= now:
                break
            del self._calls[key]

    def _forget_pattern(self, name: str) -> None:
        del self._deserted[name], self._patterns[name]
        self._kept.pop(name, None)

    # What follows is for the feeds.

    def attach(self, feed: MemoryFeed, names: Collection[str]) -> Position:
        with self._lock:
            now = self._clock()
            self._forget(now)
            position = self._present(now)
            for name in names:
                if is_pattern(name):
                    self._deserted.pop(name, None)
                    self._patterns.setdefault(name, _History(position.seq))
                hearers = self._hearers.get(name, ())
                if feed not in hearers:
                    self._hearers[name] = (*hearers, feed) if hearers else feed.alone
            return position

    def attach_to_all(self, feed: MemoryFeed) -> Position:
        with self._lock:
            if feed not in self._listeners:
                self._listeners += (feed,)
            return self._present(self._clock())

    def detach(self, feed: MemoryFeed, names: Collection[str]) -> None:
        with self._lock:
            self._detach(feed, names)

    def mark(self, feed: MemoryFeed) -> None:
        with self._lock:
            feed.put(Watermark(self._present(self._clock())))
            feed.wake()

    def take(self, feed: MemoryFeed) -> list[Announcement]:
        with self._lock:
            return feed.take()

    def discard(self, feed: MemoryFeed) -> None:
        with self._lock:
            self._remove(feed)

    def _remove(self, feed: MemoryFeed) -> None:
        self._feeds.discard(feed)
        self._listeners = tuple(one for one in self._listeners if one is not feed)
        heard = [name for name, feeds in self._hearers.items() if feed in feeds]
        self._detach(feed, heard)

    def _detach(self, feed: MemoryFeed, names: Collection[str]) -> None:
        for name in names:
            hearers = self._hearers.get(name, ())
            if feed not in hearers:
                continue
            if others := tuple(other for other in hearers if other is not feed):
                self._hearers[name] = others
                continue
            del self._hearers[name]
            if name in self._patterns:
                self._desert(name)

    def _desert(self, pattern: str) -> None:
        self._deserted[pattern] = self._clock()
        self._deserted.move_to_end(pattern)
        if len(self._deserted) > MAX_DESERTED:
            self._forget_pattern(next(iter(self._deserted)))


class MemoryFeed(Feed):
    def __init__(self, broker: MemoryBroker, loop: asyncio.AbstractEventLoop) -> None:
        self._broker = broker
        self._loop = loop
        self._heard: list[Announcement] = []
        self._ready = asyncio.Event()
        self._woken = False
        self._closed = False
        self.alone = (self,)

    async def subscribe(self, names: Collection[str]) -> Position:
        return self._broker.attach(self, names)

    async def subscribe_all(self) -> Position:
        return self._broker.attach_to_all(self)

    async def unsubscribe(self, names: Collection[str]) -> None:
        self._broker.detach(self, names)

    async def probe(self) -> None:
        self._broker.mark(self)

    async def close(self) -> None:
        self._closed = True
        self._broker.discard(self)
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[Sequence[Announcement]]:
        while not self._closed:
            await self._ready.wait()
            self._ready.clear()
            if heard := self._broker.take(self):
                yield heard

    def take(self) -> list[Announcement]:
        """Return what was heard; the broker calls this under its lock."""
        heard, self._heard = self._heard, []
        self._woken = False
        return heard

    def put(self, announcement: Announcement) -> None:
        """Add to what is heard; the broker calls this under its lock."""
        self._heard.append(announcement)

    def wake(self) -> bool:
        """Have the iteration go on, once for all that was put since it last did.

        Returns whether there is still a loop to go on in.
        """
        if not self._heard or self._woken:
            return not self._loop.is_closed()
        self._woken = True
        try:
            at_home = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            at_home = False
        if at_home:
            self._ready.set()
            return True
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:  # closed, and nobody will close the feed any more
            return False
        return True


class _History:
    """The last events of a group or pattern."""

    __slots__ = ("events", "floor", "last")

    def __init__(self, floor: int = 0) -> None:
        self.events: deque[Event] = deque()
        self.floor = floor
        """Of the events that are no longer here, the greatest seq."""
        self.last = floor

    def append(self, event: Event, size: int) -> int:
        previous, self.last = self.last, event.position.seq
        self.events.append(event)
        if len(self.events) > size:
            self.floor = self.events.popleft().position.seq
        return previous

    def expire(self, oldest: int) -> None:
        """Drop the events from before a moment."""
        while self.events and self.events[0].position.seq < oldest:
            self.floor = self.events.popleft().position.seq

    def after(self, seq: int, most: int) -> list[Event]:
        """Return the oldest events after a seq."""
        missed = 0
        for event in reversed(self.events):
            if event.position.seq <= seq:
                break
            missed += 1
        start = len(self.events) - missed
        return list(islice(self.events, start, start + most))
