"""Publishing to Redis, and reading back what it keeps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from heapq import merge
from typing import Any, TypeVar

from sse_components.brokers.base import (
    GRACE_SECONDS,
    LARGE_GROUP,
    LEASE_SECONDS,
    Audience,
    Broker,
    Feed,
    Idempotency,
    Membership,
    Published,
    Report,
    Resumption,
    Revocation,
    Statuses,
    Transition,
)
from sse_components.brokers.redis import revocations, server
from sse_components.brokers.redis.calls import (
    Argument,
    BlockingCalls,
    PipelinedCalls,
    Question,
    database,
)
from sse_components.brokers.redis.feed import RedisFeed
from sse_components.brokers.redis.packing import packed, unpacked
from sse_components.brokers.redis.presence import Presence
from sse_components.brokers.redis.scripts import Script, Scripts, lua, new_epoch
from sse_components.errors import (
    BrokerRefused,
    BrokerUnavailable,
    IdempotencyConflict,
)
from sse_components.events import Draft, Event, Position, check_group
from sse_components.meters import RoundTrips, Tally

IDEMPOTENCY_MICROSECONDS = 300_000_000
NAMES_PER_CALL = 200
LEAST_EVENTS = 20
"""Of each call for a part of the names."""
REPEAT_SECONDS = 1
THREADS = 4
"""For coroutines that publish from another loop than the hub's."""
THREAD_SECONDS = 6
"""What one may take, with the wait for a thread."""

R = TypeVar("R")

logger = logging.getLogger("sse_components.broker")


class RedisBroker(Broker):
    """Any number of processes over one Redis, 6.2 or later, that is not a cluster.

    Publishing works in any thread and on any loop. On the loop of the feed, calls
    share a pipeline; on other loops threads make them, so that no connection is left
    to a loop that ends.
    """

    def __init__(
        self,
        url: str,
        *,
        key_prefix: str = "sse",
        history_size: int = 1000,
        history_seconds: float = 300,
        group_memory_seconds: float = 86_400,
        presence_lease_seconds: float = LEASE_SECONDS,
        presence_grace_seconds: float = GRACE_SECONDS,
        large_group: int = LARGE_GROUP,
        clock: str | None = None,
    ) -> None:
        self._url = url
        # Channels know nothing of databases, so the database is part of all names.
        self._prefix = f"{key_prefix}:{database(url)}:"
        self._key = f"{self._prefix}m"
        self._size = history_size
        self._history = int(history_seconds * 1e6)
        self._memory = int(group_memory_seconds * 1e6)
        self._scripts = Scripts(clock or lua("clock"))
        self._presence = Presence(
            self._scripts,
            (self._size, self._history, self._memory),
            presence_lease_seconds,
            presence_grace_seconds,
            large_group,
        )
        self.published = Tally()
        self._trips = self.round_trips = RoundTrips()
        self._blocking = BlockingCalls(url, self._key, self._trips)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sse-redis")
        self._home: asyncio.AbstractEventLoop | None = None
        self._publishing: PipelinedCalls
        self._reading: PipelinedCalls
        self._feeds: list[RedisFeed] = []
        self._checked = False

    async def check(self) -> None:
        if self._checked:
            return
        info = await self._in_a_thread(self._blocking.info)
        if self._checked:  # by another in the meantime
            return
        if reason := server.refusal(info):
            raise BrokerRefused(reason)
        if policy := server.eviction(info):
            logger.warning(
                "Redis may evict events without anybody noticing: "
                "its maxmemory-policy is %s, and should be noeviction.",
                policy,
            )
        self._checked = True

    def publish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        arguments = self._publishing_of(drafts, idempotency)
        started = time.monotonic()
        try:
            answer = self._blocking(self._scripts.publish, arguments)
        except BrokerUnavailable:
            if not _may_be_repeated(idempotency, started):
                raise
            answer = self._blocking(self._scripts.publish, arguments)
        return self._counted(_published(answer))

    async def apublish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        if not self._is_at_home():
            return await self._in_a_thread(self.publish, drafts, idempotency)
        arguments = self._publishing_of(drafts, idempotency)
        started = time.monotonic()
        try:
            answer = await self._publishing(self._scripts.publish, arguments)
        except BrokerUnavailable:
            if not _may_be_repeated(idempotency, started):
                raise
            answer = await self._publishing(self._scripts.publish, arguments)
        return self._counted(_published(answer))

    def _counted(self, published: list[Published]) -> list[Published]:
        self.published.add(sum(not one.duplicate for one in published))
        return published

    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        given = list(names)
        parts = range(0, max(len(given), 1), NAMES_PER_CALL)
        # What one part gives beyond the others' ends is read again.
        most = max(limit // len(parts), min(limit, LEAST_EVENTS))
        pages = await asyncio.gather(
            *(self._page(cursor, given[n : n + NAMES_PER_CALL], most) for n in parts)
        )
        return pages[0] if len(pages) == 1 else _joined(pages, names, limit)

    async def history(self, group: str, limit: int) -> Resumption:
        arguments: list[Argument] = [
            new_epoch(),
            self._history,
            check_group(group),
            limit,
        ]
        answer = await self._read(self._scripts.history, arguments)
        epoch, seq, more, rows = answer
        present = Position(epoch.decode(), int(seq))
        events = _events(present.epoch, rows)
        position = events[-1].position if more else present
        return Resumption(position, events, {}, present, True, bool(more))

    async def position(self) -> Position:
        return await self.note(())

    async def note(self, patterns: Collection[str]) -> Position:
        arguments: list[Argument] = [new_epoch(), self._memory, *patterns]
        epoch, seq, _ = await self._read(self._scripts.note, arguments)
        return Position(epoch.decode(), int(seq))

    async def feed(self) -> Feed:
        loop = asyncio.get_running_loop()
        if self._home is not loop:
            self._home = loop
            self._publishing, self._reading = (
                PipelinedCalls(self._url, self._key, self._trips) for _ in range(2)
            )
        feed = RedisFeed(
            self._url,
            self._prefix,
            self._reading,
            self._scripts,
            self._memory,
            self.check,
        )
        self._feeds = [one for one in self._feeds if not one.is_closed] + [feed]
        return feed

    def revoke(self, subject: str, pattern: str, seconds: float) -> Position:
        noted = revocations.noted(self._scripts, subject, pattern, seconds)
        return self._ask(noted)

    async def arevoke(self, subject: str, pattern: str, seconds: float) -> Position:
        noted = revocations.noted(self._scripts, subject, pattern, seconds)
        return await self._aask(noted)

    async def revocations(self) -> Sequence[Revocation]:
        found: dict[tuple[str, str], Revocation] = {}
        moment = b"0"
        while moment:
            page, moment = await self._aask(revocations.page(self._scripts, moment))
            found |= {(one.subject, one.pattern): one for one in page}
        return list(found.values())

    async def report(self, report: Report) -> list[Transition] | None:
        return await self._aask(self._presence.report(report))

    async def withdraw(self, node: str, grace_seconds: float | None = None) -> None:
        while not await self._aask(self._presence.withdraw(node, grace_seconds)):
            pass

    async def sweep(self, limit: int = 1000) -> list[Transition]:
        return await self._aask(self._presence.sweep(limit))

    def members(self, group: str) -> Membership:
        return self._ask(self._presence.members(group))

    async def amembers(self, group: str) -> Membership:
        return await self._aask(self._presence.members(group))

    def statuses(self, users: Sequence[str]) -> Statuses:
        return self._ask(self._presence.statuses(users))

    async def astatuses(self, users: Sequence[str]) -> Statuses:
        return await self._aask(self._presence.statuses(users))

    def subscribers(self, groups: Sequence[str]) -> list[int]:
        return self._ask(self._presence.subscribers(groups))

    async def asubscribers(self, groups: Sequence[str]) -> list[int]:
        return await self._aask(self._presence.subscribers(groups))

    def groups(self, prefix: str, after: str, limit: int) -> Sequence[Audience]:
        return self._ask(self._presence.groups(prefix, after, limit))

    async def agroups(self, prefix: str, after: str, limit: int) -> Sequence[Audience]:
        return await self._aask(self._presence.groups(prefix, after, limit))

    async def close(self) -> None:
        for feed in self._feeds:
            await feed.close()
        if self._is_at_home():
            await self._publishing.close()
            await self._reading.close()
        self._home = None
        self._blocking.close()
        self._threads.shutdown(wait=False)

    def _publishing_of(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None
    ) -> list[Argument]:
        arguments: list[Argument] = [
            new_epoch(),
            self._size,
            self._history,
            self._memory,
            idempotency.key if idempotency else "",
            idempotency.fingerprint if idempotency else "",
            IDEMPOTENCY_MICROSECONDS,
        ]
        for draft in drafts:
            arguments += (draft.group, packed(draft))
        return arguments

    async def _page(
        self, cursor: Position, names: Sequence[str], limit: int
    ) -> Resumption:
        arguments: list[Argument] = [
            new_epoch(),
            self._history,
            self._memory,
            cursor.epoch,
            cursor.seq,
            limit,
            *names,
        ]
        answer = await self._read(self._scripts.resume, arguments)
        epoch, seq, usable, more, gone, rows, seqs = answer
        present = Position(epoch.decode(), int(seq))
        newest = {
            name: int(last) for name, last in zip(names, seqs, strict=True) if last
        }
        if not usable:
            lost = dict.fromkeys(names, present.seq)
            return Resumption(present, [], lost, present, False, False, newest)
        events = _events(present.epoch, rows)
        position = events[-1].position if more else present
        lost = {
            name.decode(): int(newest)
            for name, newest in zip(gone[::2], gone[1::2], strict=True)
        }
        return Resumption(position, events, lost, present, True, bool(more), newest)

    def _ask(self, question: Question[R]) -> R:
        return question.read(self._blocking(question.script, question.arguments))

    async def _aask(self, question: Question[R]) -> R:
        return question.read(await self._read(question.script, question.arguments))

    async def _read(self, script: Script, arguments: Sequence[Argument]) -> Any:
        if self._is_at_home():
            return await self._reading(script, arguments)
        return await self._in_a_thread(self._blocking, script, arguments)

    def _is_at_home(self) -> bool:
        return self._home is asyncio.get_running_loop()

    async def _in_a_thread(self, function: Callable[..., R], *arguments: Any) -> R:
        loop = asyncio.get_running_loop()
        try:
            answer = loop.run_in_executor(self._threads, function, *arguments)
        except RuntimeError as error:
            raise BrokerUnavailable("The broker is closed.") from error
        try:
            async with asyncio.timeout(THREAD_SECONDS):
                return await answer
        except TimeoutError:
            raise BrokerUnavailable("Redis does not answer.") from None


def _may_be_repeated(idempotency: Idempotency | None, started: float) -> bool:
    """Whether a failed call can be made again: it may have been stored, or hang again.

    What fails at once is most often a connection that Redis had closed.
    """
    return idempotency is not None and time.monotonic() - started < REPEAT_SECONDS


def _published(answer: Sequence[bytes]) -> list[Published]:
    status, *rest = answer
    if status == b"conflict":
        raise IdempotencyConflict(
            "The idempotency key was used in the last 5 minutes with another body."
        )
    epoch, *seqs = rest
    return [
        Published(Position(epoch.decode(), int(seq)), status == b"duplicate")
        for seq in seqs
    ]


def _events(epoch: str, rows: Sequence[bytes]) -> list[Event]:
    return [
        unpacked(Position(epoch, int(seq)), event)
        for seq, event in zip(rows[::2], rows[1::2], strict=True)
    ]


def _joined(
    pages: Sequence[Resumption], names: Collection[str], limit: int
) -> Resumption:
    """Join the pages of parts of the names, which were read one after the other."""
    present = max((page.present for page in pages), key=lambda one: one.seq)
    for page in pages:
        if not page.usable:
            lost = dict.fromkeys(names, page.present.seq)
            newest = _newest(
                [p for p in pages if p.present.epoch == page.present.epoch]
            )
            return Resumption(
                page.present, [], lost, page.present, False, False, newest
            )
    # A part is known up to its own position only.
    end = min((page.position for page in pages), key=lambda one: one.seq)
    # A part that was read first may have had events by the time of the last.
    lost = {name: present.seq for page in pages for name in page.lost}
    more = any(page.more for page in pages)
    events: list[Event] = []
    for event in merge(*(p.events for p in pages), key=lambda e: e.position.seq):
        if events and events[-1].position == event.position:
            continue
        if event.position.seq > end.seq or len(events) == limit:
            more = True
            break
        events.append(event)
    position = events[-1].position if more and len(events) == limit else end
    return Resumption(position, events, lost, present, True, more, _newest(pages))


def _newest(pages: Iterable[Resumption]) -> dict[str, int]:
    return {name: seq for page in pages for name, seq in page.newest.items()}
