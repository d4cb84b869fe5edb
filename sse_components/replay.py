"""Bringing one connection up to date: from the rings, or else from the broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from operator import itemgetter
from typing import Literal, Protocol

from sse_components import wire
from sse_components.brokers.base import Broker, Resumption
from sse_components.errors import BrokerUnavailable
from sse_components.events import NOWHERE, Position, names_over
from sse_components.hearing import Group, Hearing
from sse_components.meters import Meters
from sse_components.progress import Progress
from sse_components.subscriber import MAX_PENDING, NEVER, Subscriber
from sse_components.wire import Frame, Id

PAGE_EVENTS = 100
"""How many missed events are read and written at a time."""

logger = logging.getLogger("sse_components.hub")

Greeting = Callable[[Id | None], Frame]
"""The first frame of a stream, with the id that it may carry."""


class Crowd(Protocol):
    """Who knows how many there are to fetch at the same time."""

    def spread(self, names: Iterable[str]) -> int:
        """Return over how many milliseconds those of some groups are to fetch."""

    def spread_of_all(self) -> int:
        """Return over how many milliseconds all are to fetch all that they show."""


@dataclass(slots=True)
class _Reading:
    """How far the reading of what groups missed has got."""

    groups: Collection[Group]
    cursor: Position
    believed: bool
    """Whether the cursor is more than the client's word."""
    all: bool = True
    """Whether they are all groups of a connection, whose reset is a new start."""
    progress: Progress | None = None
    """What the client has had after `cursor`, if it is anything."""
    late: Mapping[str, int] = field(default_factory=dict)
    """Names that are read only from a seq on: up to there they were reset, or had."""

    def since(self, name: str) -> int:
        """Return the seq after which a name is missing."""
        had = self.progress.of(name) if self.progress else 0
        return max(self.cursor.seq, had)

    @property
    def id(self) -> Id:
        """What the client is to come back with if it is cut now."""
        return self.progress.at(self.cursor.seq) if self.progress else self.cursor

    def go_on(self, position: Position) -> None:
        """Note that all up to a position was read."""
        self.cursor = position
        if self.progress and position.seq >= self.progress.newest:
            self.progress = None

    def missing(self, frames: list[Frame]) -> list[Frame]:
        """Return those that the client hasn't had, under ids that say what it has."""
        progress = self.progress
        if progress is None:
            return frames
        return [
            frame.at(progress.at(frame.seq)) if frame.seq < progress.newest else frame
            for frame in frames
            if frame.seq > progress.of(frame.group)
        ]


@dataclass(frozen=True, slots=True)
class _Page:
    """A part of what was missed."""

    id: Id | None
    """What a greeting before it may carry: the cursor, if it is usable."""
    frames: list[Frame]
    lost: Mapping[str, int] = field(default_factory=dict)
    """Groups that are reset, and up to which seq."""
    last: bool = False
    came_from: Literal["ring", "broker"] = "broker"


class Replay:
    """Writes what was missed after a cursor, and lets live events follow."""

    def __init__(
        self, broker: Broker, hearing: Hearing, crowd: Crowd, meters: Meters
    ) -> None:
        self._broker = broker
        self._meters = meters
        self._hearing = hearing
        self._crowd = crowd
        self._reading: dict[tuple[Position, tuple[str, ...]], asyncio.Task[Resumption]]
        self._reading = {}
        """Those who were cut at the same moment ask the same."""

    async def open(
        self,
        subscriber: Subscriber,
        cursor: Position | Progress | None,
        greeting: Greeting,
    ) -> None:
        """Begin a stream; the cursor is the client's word, and may be a fantasy."""
        await self._hearing.hear(subscriber.groups)
        if self._hearing.position == NOWHERE:  # the broker has only just come
            await self._hearing.wait_for_another_epoch(NOWHERE.epoch)
        reading = self._begin(subscriber.groups, cursor)
        await self._write(subscriber, reading, greeting)

    async def catch_up(self, subscriber: Subscriber, *, complete: bool = True) -> None:
        """Go on where one that was too slow was left."""
        cursor = Position(self._hearing.position.epoch, subscriber.sent)
        await self._hearing.hear(subscriber.groups)
        reading = _Reading(subscriber.groups, cursor, True)
        await self._write(subscriber, reading, None, complete=complete)

    def give_up(self) -> None:
        """Read no more: everybody is sent away, and the broker may hang."""
        for reading in list(self._reading.values()):
            reading.cancel()

    async def add(
        self,
        subscriber: Subscriber,
        groups: Collection[Group],
        cursor: Position | Progress | None,
        answer: Sequence[Frame],
    ) -> None:
        """Bring one up to date with more groups, and let live events of them follow.

        What was missed of them may be older than what was sent before; what it has
        because of a pattern, or of a group under it, it isn't sent again. Whoever calls
        this owns the connection, and holds the groups.
        """
        await self._hearing.hear(groups)
        reading = self._begin(groups, cursor, all=False)
        since, lost = reading.cursor.seq, dict[str, int]()
        await subscriber.write([*subscriber.take(), *answer])
        while not subscriber.ending:
            if subscriber.after == NEVER:  # it fell behind while it was written to
                await self.catch_up(subscriber, complete=False)
                await subscriber.write(subscriber.take())
                continue
            epoch = self._hearing.position.epoch
            page = await self._turn(reading)
            if subscriber.ending:
                return
            lost |= page.lost
            frames = [frame for frame in page.frames if not subscriber.knows(frame)]
            # Either may be the broker's present, which is not heard yet: the events up
            # to there would be held back, or come again.
            seq = max(reading.cursor.seq, subscriber.after)
            if page.last and self._hearing.position.seq >= seq:
                self._hearing.join_later(subscriber, groups, since)
                subscriber.note(lost)
                self._release(subscriber, subscriber.pending + frames, seq)
                return
            await self._write_page(subscriber, frames, reading, epoch)
            if page.last:
                await self._hearing.wait_until(Position(epoch, seq))

    async def _write(
        self,
        subscriber: Subscriber,
        reading: _Reading,
        greeting: Greeting | None,
        *,
        complete: bool = True,
    ) -> None:
        believed = reading.believed
        if greeting:
            subscriber.since = reading.cursor.seq
        while not subscriber.ending:
            epoch = self._hearing.position.epoch
            page = await self._turn(reading)
            if subscriber.ending:  # it may have lost the right to this page
                return
            subscriber.note(page.lost)
            frames = [greeting(page.id)] if greeting else []
            if greeting and not believed:
                outcome = "reset" if page.lost else page.came_from
                self._meters.resumes[outcome] += 1
            greeting = None
            subscriber.owed = subscriber.owed.difference(page.lost)
            frames += subscriber.owed_resets()
            frames += page.frames
            if page.last:
                self._release(subscriber, frames, reading.cursor.seq, complete)
                return
            await self._write_page(subscriber, frames, reading, epoch)
            if reading.cursor.epoch == self._hearing.position.epoch:
                subscriber.sent = reading.cursor.seq

    async def _write_page(
        self, subscriber: Subscriber, frames: list[Frame], reading: _Reading, epoch: str
    ) -> None:
        for part in _parts(frames):
            await subscriber.write(part)
        if reading.cursor.epoch != epoch == self._hearing.position.epoch:
            # The broker has begun anew, and it has not been heard yet.
            await self._hearing.wait_for_another_epoch(epoch)

    async def _turn(self, reading: _Reading) -> _Page:
        """Return the next page; the last comes from the rings, without any waiting."""
        cursor, id = reading.cursor, reading.id
        if self._rings_reach(reading):
            frames, seq, more = _from_rings(reading)
            frames = reading.missing(self._spread(frames))
            reading.go_on(Position(cursor.epoch, seq))
            return _Page(id, frames, last=not more, came_from="ring")
        names = [group.name for group in reading.groups]
        late = {name: seq for name, seq in reading.late.items() if seq > cursor.seq}
        page = await self._read(cursor, [name for name in names if name not in late])
        progress = reading.progress
        if not page.usable or (progress and progress.newest > page.present.seq):
            reading.progress, reading.late = None, {}
            lost = dict.fromkeys(names, page.present.seq)
            page = Resumption(page.present, [], lost, page.present, False, False)
        else:
            # A name that doesn't reach back to the cursor may reach back to where the
            # client has all of it, and is read from there.
            had = {name: reading.since(name) for name in page.lost}
            had = {name: seq for name, seq in had.items() if seq > cursor.seq}
            lost = {name: seq for name, seq in page.lost.items() if name not in had}
            # The next pages would lose the others again. Who has been told of a reset
            # has all up to now, and needs only what comes after.
            reading.late = late | had | dict.fromkeys(lost, page.present.seq)
            page = _up_to(replace(page, lost=lost), reading.late.values())
        frames = self._spread([wire.event(event) for event in page.events])
        frames = reading.missing(frames)
        reading.go_on(page.position)
        reading.believed = True
        if page.lost:
            frames.insert(0, self._reset(page, len(names) if reading.all else None))
            self._meters.resets["forgotten" if page.usable else "cursor"] += 1
            logger.info("Reset %s groups", len(page.lost))
        lost = dict.fromkeys(page.lost, page.present.seq)
        return _Page(id if page.usable else None, frames, lost)

    def _begin(
        self,
        groups: Collection[Group],
        cursor: Position | Progress | None,
        *,
        all: bool = True,
    ) -> _Reading:
        if cursor is None:
            return _Reading(groups, self._hearing.now(groups), True, all)
        if isinstance(cursor, Position):
            return _Reading(groups, cursor, False, all)
        reading = _Reading(groups, cursor.oldest, False, all, cursor)
        reading.go_on(cursor.oldest)
        return reading

    def _reset(self, page: Resumption, all: int | None) -> Frame:
        # A reset of all groups is a new start and carries an id; one of some must
        # not, because the others' events are still to come.
        if len(page.lost) == all:
            spread = self._crowd.spread_of_all()
            return wire.stream_reset(page.position, page.lost, spread)
        return wire.stream_reset(None, page.lost, self._crowd.spread(page.lost))

    def _spread(self, frames: list[Frame]) -> list[Frame]:
        """Return what was missed for those who are there now, and not for those then.

        Where a proxy is started anew, all come back at once, and nobody was there when
        it was published.
        """
        groups = {frame.group for frame in frames if frame.fetches}
        spreads = {group: self._crowd.spread(names_over(group)) for group in groups}
        if not any(spreads.values()):
            return frames
        return [frame.spread_over(spreads.get(frame.group, 0)) for frame in frames]

    def _rings_reach(self, reading: _Reading) -> bool:
        heard, cursor, progress = self._hearing, reading.cursor, reading.progress
        newest = max(heard.position.seq, heard.newest)
        return (
            cursor.epoch == heard.position.epoch
            and (reading.believed or cursor.seq <= newest)
            # What the client has had and we haven't heard yet would come again, live.
            and (progress is None or progress.newest <= heard.position.seq)
            and all(
                group.reaches(reading.since(group.name)) for group in reading.groups
            )
        )

    def _release(
        self,
        subscriber: Subscriber,
        frames: list[Frame],
        seq: int,
        complete: bool = True,
    ) -> None:
        """Queue the last page and let live events follow, in one step of the loop."""
        heard = self._hearing.position
        position = Position(heard.epoch, max(seq, heard.seq))
        end = [wire.keep_alive(position)] if complete else []
        subscriber.release(position.seq, frames + end)

    async def _read(self, cursor: Position, names: Collection[str]) -> Resumption:
        key = cursor, tuple(names)
        reading = self._reading.get(key)
        if reading is None:
            reading = asyncio.ensure_future(
                self._broker.resume(cursor, names, PAGE_EVENTS)
            )
            self._reading[key] = reading
            reading.add_done_callback(lambda _: self._reading.pop(key))
        try:
            return await asyncio.shield(reading)  # it is the others' too
        except asyncio.CancelledError:
            if not reading.cancelled():
                raise
            raise BrokerUnavailable("The hub has given up.") from None


def _from_rings(reading: _Reading) -> tuple[list[Frame], int, bool]:
    """Return a page of frames, up to where it goes, and whether there is more."""
    after = reading.cursor.seq
    found = [
        group.ring.after(reading.since(group.name), MAX_PENDING)
        for group in reading.groups
    ]
    missed = [frames for frames in found if frames]
    frames: list[Frame] = []
    size, last = 0, after
    in_order: Iterable[tuple[int, Frame]] = (
        missed[0] if len(missed) == 1 else merge(*missed, key=itemgetter(0))
    )
    for seq, frame in in_order:
        if seq == last:  # the same event, under its pattern
            continue
        if size > MAX_PENDING:
            break
        frames.append(frame)
        size += len(frame.sse)
        last = seq
    # A ring gives a little more than that, if it has it, and then stops.
    return frames, last, size > MAX_PENDING


def _up_to(page: Resumption, ends: Collection[int]) -> Resumption:
    """Return the part of a page that ends at the first of some seqs."""
    seq = min(ends, default=page.position.seq)
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
