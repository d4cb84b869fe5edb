"""Bringing one connection up to date: from the rings, or else from the broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from heapq import merge
from operator import itemgetter

from sse_components import wire
from sse_components.brokers.base import Broker, Resumption
from sse_components.errors import BrokerUnavailable
from sse_components.events import NOWHERE, Position
from sse_components.hearing import Group, Hearing
from sse_components.subscriber import MAX_PENDING, Subscriber
from sse_components.wire import Frame

PAGE_EVENTS = 100
"""How many missed events are read and written at a time."""

logger = logging.getLogger("sse_components.hub")

Greeting = Callable[[Position | None], Frame]
"""The first frame of a stream, with the id that it may carry."""


class Replay:
    """Writes what was missed after a cursor, and lets live events follow."""

    def __init__(self, broker: Broker, hearing: Hearing) -> None:
        self._broker = broker
        self._hearing = hearing
        self._reading: dict[tuple[Position, tuple[str, ...]], asyncio.Task[Resumption]]
        self._reading = {}
        """Those who were cut at the same moment ask the same."""

    async def open(
        self, subscriber: Subscriber, cursor: Position | None, greeting: Greeting
    ) -> None:
        """Begin a stream; the cursor is the client's word, and may be a fantasy."""
        await self._hearing.hear(subscriber.groups)
        if self._hearing.position == NOWHERE:  # the broker has only just come
            await self._hearing.wait_for_another_epoch(NOWHERE.epoch)
        believed = cursor is None
        cursor = cursor or self._hearing.now(subscriber.groups)
        await self._write(subscriber, cursor, greeting, believed=believed)

    async def catch_up(self, subscriber: Subscriber) -> None:
        """Go on where one that was too slow was left."""
        cursor = Position(self._hearing.position.epoch, subscriber.sent)
        await self._hearing.hear(subscriber.groups)
        await self._write(subscriber, cursor, None, believed=True)

    def give_up(self) -> None:
        """Read no more: everybody is sent away, and the broker may hang."""
        for reading in list(self._reading.values()):
            reading.cancel()

    async def _write(
        self,
        subscriber: Subscriber,
        cursor: Position,
        greeting: Greeting | None,
        *,
        believed: bool,
    ) -> None:
        names = [group.name for group in subscriber.groups]
        reset: frozenset[str] = frozenset()
        reset_at = 0
        while not subscriber.ending:
            frames: list[Frame] = []
            epoch = self._hearing.position.epoch
            if self._rings_reach(subscriber.groups, cursor, believed):
                if greeting:
                    frames.append(greeting(cursor))
                frames += subscriber.owed_resets()
                missed, seq, more = _from_rings(subscriber.groups, cursor.seq)
                frames += missed
                if not more:
                    self._release(subscriber, frames, seq)
                    return
                cursor = Position(cursor.epoch, seq)
            else:
                if cursor.seq >= reset_at:
                    reset = frozenset()
                asked = [name for name in names if name not in reset]
                page = await self._read(cursor, asked)
                if not page.usable:
                    reset = frozenset()
                    lost = dict.fromkeys(names, page.present.seq)
                    page = replace(page, lost=lost)
                if reset:
                    page = _up_to(page, reset_at)
                elif page.lost and page.more:
                    # The next pages would lose them again. Who has been told of a
                    # reset has all up to now, and needs only what comes after.
                    reset, reset_at = frozenset(page.lost), page.present.seq
                if greeting:
                    frames.append(greeting(cursor if page.usable else None))
                subscriber.owed.difference_update(page.lost)
                frames += subscriber.owed_resets()
                frames += _from_broker(page, len(names))
                cursor = page.position
                believed = True
            greeting = None
            for part in _parts(frames):
                await subscriber.write(part)
            if cursor.epoch != epoch == self._hearing.position.epoch:
                # The broker has begun anew, and it has not been heard yet.
                await self._hearing.wait_for_another_epoch(epoch)

    def _rings_reach(
        self, groups: Iterable[Group], cursor: Position, believed: bool
    ) -> bool:
        heard = self._hearing
        return (
            cursor.epoch == heard.position.epoch
            and (believed or cursor.seq <= max(heard.position.seq, heard.newest))
            and all(group.reaches(cursor.seq) for group in groups)
        )

    def _release(self, subscriber: Subscriber, frames: list[Frame], seq: int) -> None:
        """Queue the last page and let live events follow, in one step of the loop."""
        heard = self._hearing.position
        complete = Position(heard.epoch, max(seq, heard.seq))
        subscriber.release(complete.seq, [*frames, wire.keep_alive(complete)])

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


def _from_rings(groups: Iterable[Group], after: int) -> tuple[list[Frame], int, bool]:
    """Return a page of frames, up to where it goes, and whether there is more."""
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
    # A ring gives a little more than that, if it has it, and then stops.
    return frames, last, size > MAX_PENDING


def _from_broker(page: Resumption, asked: int) -> list[Frame]:
    frames = [wire.event(event) for event in page.events]
    if page.lost:
        # A reset of all groups is a new start and carries an id; one of some must
        # not, because the others' events are still to come.
        id = page.position if len(page.lost) == asked else None
        frames.insert(0, wire.stream_reset(id, page.lost))
        logger.info("Reset %s of %s groups", len(page.lost), asked)
    return frames


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
