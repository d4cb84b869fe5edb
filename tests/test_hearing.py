"""The hub with a feed that misses events: what is mended, and who is reset."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

import pytest

from sse_components import hearing, wire
from sse_components.brokers.base import (
    Announcement,
    Delivery,
    Feed,
    Interruption,
    Resumption,
)
from sse_components.brokers.memory import MemoryBroker, MemoryFeed
from sse_components.errors import BrokerUnavailable
from sse_components.events import NOWHERE, Draft, Event, Position
from sse_components.hearing import PROBE_SECONDS
from sse_components.hub import Hub
from sse_components.replay import PAGE_EVENTS
from sse_components.subscriber import Subscriber
from sse_components.wire import Frame
from tests.transports import Recorder

SECOND = 1_000_000
LARGE = 60_000
"""Bytes of a payload; five are more than may be pending."""


class UnreliableFeed(MemoryFeed):
    """Misses what it is told to."""

    deaf = False
    late_name = ""
    """A name whose events come in a batch of their own."""

    def __init__(self, broker: MemoryBroker, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(broker, loop)
        self._late: list[Announcement] = []

    def put(self, announcement: Announcement) -> None:
        if isinstance(announcement, Delivery):
            if self.deaf:
                return
            if announcement.name == self.late_name:
                self._late.append(announcement)
                return
        super().put(announcement)

    def hear_late(self) -> None:
        self.late_name = ""
        for announcement in self._late:
            self.put(announcement)
        self.wake()

    def hear_again(self) -> None:
        self.deaf = False
        self.put(Interruption())
        self.wake()


class UnreliableBroker(MemoryBroker):
    def __init__(self, **limits: Any) -> None:
        self.now = 1_763_799_845_000_000
        super().__init__(clock=self._tick, **limits)
        self.heard: UnreliableFeed
        self.away = False
        self.door = asyncio.Event()
        """Cleared while the broker takes its time to be read."""
        self.door.set()
        self.after_read: Callable[[], Awaitable[object]] | None = None
        """What happens once, just after something was read."""
        self.resumed: list[tuple[Position, set[str]]] = []

    def _tick(self) -> int:
        self.now += 1
        return self.now

    async def feed(self) -> Feed:
        self.heard = UnreliableFeed(self, asyncio.get_running_loop())
        self._feeds.add(self.heard)
        return self.heard

    async def position(self) -> Position:
        self._fail_if_away()
        return await super().position()

    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        await self.door.wait()
        self._fail_if_away()
        self.resumed.append((cursor, set(names)))
        page = await super().resume(cursor, names, limit)
        if self.after_read:
            meanwhile, self.after_read = self.after_read, None
            await meanwhile()
        return page

    def lose_memory(self) -> None:
        self._epoch = "another"
        self._groups.clear()
        self._patterns.clear()

    def _fail_if_away(self) -> None:
        if self.away:
            raise BrokerUnavailable("away")


class World:
    def __init__(self, **limits: Any) -> None:
        self.broker = UnreliableBroker(**limits)
        self.hub = Hub(self.broker)
        self.first_epoch = self.broker._epoch

    async def open(
        self, *names: str, cursor: Position | None = None
    ) -> tuple[Recorder, Subscriber]:
        transport = Recorder()
        return transport, await self.hub.open(transport, names, cursor, _greeting)

    def put(self, *groups: str, size: int = 0) -> list[str]:
        """Publish an event to each group, and return the ids."""
        payload = b'"%b"' % (b"x" * size)
        drafts = [Draft(group, "test", payload) for group in groups]
        return [str(one.position) for one in self.broker.publish(drafts)]

    def miss(self, *groups: str) -> list[str]:
        """Publish without being heard."""
        self.broker.heard.deaf = True
        ids = self.put(*groups)
        self.broker.heard.deaf = False
        return ids

    async def settle(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)


def _greeting(id: wire.Id | None) -> Frame:
    return wire.stream_open(
        id, connection="", groups=[], denied=[], keep_alive=15, retry=1, expires=None
    )


def _ids(transport: Recorder) -> list[str]:
    return [event["id"] for event in transport.events if event["type"] == "test"]


def _resets(transport: Recorder) -> list[list[str]]:
    return [e["groups"] for e in transport.events if e["type"] == "stream-reset"]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.hub.start()
    yield world
    await world.hub.close()


# An event is missing, and nobody said so.


async def test_a_missed_event_is_fetched_before_what_comes_after_it(
    world: World,
) -> None:
    transport, _ = await world.open("a")
    ids = world.put("a") + world.miss("a", "a") + world.put("a")
    await world.settle()
    assert _ids(transport) == ids
    assert _resets(transport) == []


async def test_only_the_group_with_the_gap_is_read(world: World) -> None:
    await world.open("a", "b")
    world.put("a")
    await world.settle()
    world.broker.resumed.clear()
    world.miss("a")
    world.put("a")
    await world.settle()
    assert [names for _, names in world.broker.resumed] == [{"a"}]


async def test_a_gap_under_a_pattern_is_mended_too(world: World) -> None:
    transport, _ = await world.open("demo.todo.*")
    ids = (
        world.put("demo.todo.1") + world.miss("demo.todo.2") + world.put("demo.todo.3")
    )
    await world.settle()
    assert _ids(transport) == ids


async def test_who_is_past_the_missing_event_is_reset_in_that_group_alone(
    world: World,
) -> None:
    (both, _), (one, _) = await world.open("a", "b"), await world.open("a")
    first = world.put("a")
    missed = world.miss("a")
    second = world.put("b")
    await world.settle()
    last = world.put("a")
    await world.settle()
    assert _ids(one) == first + missed + last
    assert _resets(one) == []
    assert _ids(both) == first + second + last
    assert _resets(both) == [["a"]]
    assert "id" not in both.events[-3]


@pytest.mark.parametrize(("missed", "missed_then"), [(1, 0), (13, 0), (13, 13)])
async def test_who_is_being_brought_up_to_date_meanwhile_is_reset_first(
    missed: int, missed_then: int
) -> None:
    world = World(history_size=12)
    await world.hub.start()
    await world.open("a", "b")
    await world.hub._hearing._feed.probe()
    await world.settle()
    cursor = world.hub.position
    world.put("a")
    world.miss(*["a"] * missed)
    for _ in range(10):
        world.put("b", size=LARGE)
    await world.settle()
    transport = Recorder()
    transport.door.clear()
    opening = asyncio.create_task(
        world.hub.open(transport, ["a", "b"], cursor, _greeting)
    )
    await world.settle()  # it has read from the rings, past what is missing
    world.miss(*["a"] * missed_then)
    world.put("a")
    await world.settle()
    transport.door.set()
    await opening
    await world.settle()
    assert _resets(transport) == [["a"]]
    later = world.put("a")
    await world.settle()
    assert _ids(transport)[-1:] == later
    await world.hub.close()


async def test_a_gap_that_history_can_not_fill_is_a_reset_of_that_group() -> None:
    world = World(history_size=1)
    await world.hub.start()
    (both, _), (other, _) = await world.open("a", "b"), await world.open("b")
    world.put("a")
    world.miss("a", "a")
    last = world.put("a")
    await world.settle()
    assert _resets(both) == [["a"]]
    assert _resets(other) == []
    later = world.put("a", "b")
    await world.settle()
    assert _ids(both)[-2:] == later
    assert last[0] not in _ids(both)[-2:]
    await world.hub.close()


async def test_who_is_past_some_of_what_history_can_not_give_is_reset_once() -> None:
    world = World(history_size=1)
    await world.hub.start()
    (whole, _), (partly, _) = await world.open("a", "b"), await world.open("a", "c")
    world.put("a")
    world.miss("a")
    world.put("c")
    world.miss("a")
    world.put("b")
    await world.settle()
    world.put("a")
    await world.settle()
    assert _resets(whole) == [["a"]]
    assert _resets(partly) == [["a"]]
    later = world.put("a")
    await world.settle()
    assert _ids(whole)[-1:] == _ids(partly)[-1:] == later
    await world.hub.close()


async def test_an_event_whose_two_names_come_apart_is_missed_by_nobody(
    world: World,
) -> None:
    (group, _), (pattern, _) = await world.open("a.1"), await world.open("a.*")
    world.broker.heard.late_name = "a.*"
    ids = world.put("a.1")
    await group.until(lambda: _ids(group) == ids)
    assert _ids(pattern) == []
    world.hub._keep_all_alive(time.monotonic() + 16)
    cursor = wire.parse_position(pattern.events[-1]["id"])
    assert cursor.seq < wire.parse_position(ids[0]).seq
    between, _ = await world.open("a.*")
    world.broker.heard.hear_late()
    await world.settle()
    assert _ids(pattern) == _ids(between) == ids


async def test_a_stream_without_a_cursor_begins_after_the_newest_event(
    world: World,
) -> None:
    await world.open("a.1", "a.*")
    world.put("a.1")
    await world.settle()
    assert world.hub.position == await _last(world)
    transport, _ = await world.open("a.1", "a.*")
    assert _ids(transport) == []


async def _last(world: World) -> Position:
    page = await world.broker.resume(
        Position(world.hub.position.epoch, world.hub.position.seq - 1), ["a.1"], 9
    )
    return page.events[-1].position


async def test_a_mended_group_is_not_told_ahead_of_the_others(world: World) -> None:
    transport, _ = await world.open("a", "b")
    world.broker.door.clear()
    ids = world.miss("a") + world.put("a")
    await world.settle()
    ids += world.put("b", "a")  # which the reading finds, and the feed has
    world.broker.door.set()
    await world.settle()
    assert _ids(transport) == ids
    assert _resets(transport) == []


async def test_who_is_sent_away_is_reset_first_where_that_is_owed(
    world: World,
) -> None:
    transport, subscriber = await world.open("a", "b")
    world.put("a")
    world.miss("a")
    world.put("b")
    await world.settle()
    transport.door.clear()
    world.put("b")
    await world.settle()
    world.put("a")
    await world.settle()
    assert subscriber.owed == {"a"}
    subscriber.end(wire.stream_close("shutdown", 500))
    transport.door.set()
    await world.settle()
    assert transport.types[-2:] == ["stream-reset", "stream-close"]
    assert _resets(transport) == [["a"]]


# The feed was interrupted.


async def test_what_an_interruption_swallowed_is_told_in_order(world: World) -> None:
    (both, _), (one, _) = await world.open("a", "b"), await world.open("b")
    ids = world.put("a", "b")
    await world.settle()
    world.broker.heard.deaf = True
    missed = world.put("b", "a", "b")
    world.broker.heard.hear_again()
    later = world.put("a", "b")
    await world.settle()
    assert _ids(both) == ids + missed + later
    assert _ids(one) == [ids[1], missed[0], missed[2], later[1]]
    assert _resets(both) == _resets(one) == []


async def test_an_interruption_in_which_nothing_was_missed_is_not_seen(
    world: World,
) -> None:
    transport, _ = await world.open("a")
    ids = world.put("a")
    await world.settle()
    written = transport.writes
    world.broker.heard.hear_again()
    await world.settle()
    assert (_ids(transport), transport.writes) == (ids, written)


async def test_what_was_heard_is_not_held_up_by_what_was_missed(world: World) -> None:
    transport, _ = await world.open("a")
    world.broker.door.clear()
    ids = world.put("a")
    world.broker.heard.hear_again()
    await world.settle()
    assert _ids(transport) == ids
    world.broker.door.set()


async def test_the_position_stands_still_until_the_gap_is_mended(world: World) -> None:
    transport, _ = await world.open("a")
    await world.broker.heard.probe()
    await world.settle()
    before = world.hub.position
    world.broker.away = True
    world.miss("a")
    world.broker.heard.hear_again()
    ids = world.put("a")
    await world.settle()
    assert world.hub.position == before
    world.hub._keep_all_alive(time.monotonic() + 16)
    assert transport.events[-1]["type"] == "keep-alive"
    assert transport.events[-1]["id"] == str(before)
    world.broker.away = False
    await transport.until(lambda: len(_ids(transport)) == 2)
    assert _ids(transport)[-1:] == ids


async def test_a_group_that_lost_events_is_reset_for_its_losers_alone() -> None:
    world = World(history_size=1)
    await world.hub.start()
    (both, _), (a, _) = await world.open("a", "b"), await world.open("a")
    world.broker.heard.deaf = True
    missed = world.put("a", "a", "b")
    present = await world.broker.position()
    fresh, _ = await world.open("a", cursor=present)
    world.broker.heard.hear_again()
    await world.settle()
    assert _resets(both) == [["a"]]
    assert _ids(both) == missed[2:]
    assert _resets(a) == [["a"]]
    reset = next(e for e in a.events if e["type"] == "stream-reset")
    assert "id" in reset  # it names all groups of that stream: a new start
    assert _resets(fresh) == []
    later = world.put("a", "b")
    await world.settle()
    assert _ids(both)[-2:] == later
    assert _ids(a) == _ids(fresh) == later[:1]
    await world.hub.close()


async def test_after_an_interruption_longer_than_memory_each_is_read_for() -> None:
    world = World(history_seconds=60, group_memory_seconds=60)
    await world.hub.start()
    old, _ = await world.open("a")
    world.broker.heard.deaf = True
    world.put("a")
    world.broker.now += 61 * SECOND
    fresh, _ = await world.open("a", cursor=await world.broker.position())
    world.broker.heard.hear_again()
    await world.settle()
    assert _resets(old) == [["a"]]
    assert _resets(fresh) == []
    later = world.put("a")
    await world.settle()
    assert _ids(old) == _ids(fresh) == later
    await world.hub.close()


async def test_much_that_was_missed_is_read_in_pages_and_told_in_order(
    world: World,
) -> None:
    transport, _ = await world.open("a", "b")
    world.broker.heard.deaf = True
    missed = [id for _ in range(700) for id in world.put("a", "b")]
    world.broker.heard.hear_again()
    await transport.until(lambda: len(_ids(transport)) == 1400)
    assert _ids(transport) == missed


async def test_a_group_is_reset_once_however_many_pages_the_others_take() -> None:
    world = World(history_size=1200)
    await world.hub.start()
    transport, _ = await world.open("a", "b")
    world.broker.heard.deaf = True
    missed = [id for _ in range(1200) for id in world.put("b")]
    for _ in range(1201):
        world.put("a")
    world.broker.heard.hear_again()
    await transport.until(lambda: len(_ids(transport)) == 1200)
    await world.settle()
    assert _ids(transport) == missed
    assert _resets(transport) == [["a"]]
    await world.hub.close()


async def test_what_is_published_while_pages_are_read_is_told_by_the_feed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing, "PAGE_EVENTS", 10)
    world = World(history_size=15)
    await world.hub.start()
    transport, _ = await world.open("a", "lost")
    world.broker.heard.deaf = True
    world.put(*["lost"] * 16)
    missed = world.put(*["a"] * 14)
    newcomer = Recorder()

    async def more_comes() -> None:
        await world.hub.open(newcomer, ["a", "new"], None, _greeting)
        missed.extend(world.put("lost", "new", "a"))

    world.broker.after_read = more_comes
    world.broker.heard.hear_again()
    await transport.until(lambda: _ids(transport)[-1:] == missed[-1:])
    await world.settle()
    wanted = [id for id in missed if id != missed[-2]]  # it isn't subscribed to new
    assert _ids(transport)[-2:] == wanted[-2:]
    assert set(_ids(newcomer)) >= {missed[-2], missed[-1]}
    assert _ids(newcomer) == sorted(_ids(newcomer))
    await world.hub.close()


# The broker has lost its memory.


async def test_a_new_epoch_resets_everybody_once(world: World) -> None:
    (both, _), (one, _) = await world.open("a", "b"), await world.open("a")
    world.put("a")
    await world.settle()
    world.broker.lose_memory()
    ids = world.put("a")
    await world.settle()
    for transport, names in ((both, ["a", "b"]), (one, ["a"])):
        assert _resets(transport) == [names]
        reset = next(e for e in transport.events if e["type"] == "stream-reset")
        assert reset["id"].startswith("another:")
        # The event came before the reset, which covers it.
        assert wire.parse_position(reset["id"]).seq >= wire.parse_position(ids[0]).seq
    later = world.put("a")
    await world.settle()
    assert _ids(both)[-1:] == _ids(one)[-1:] == later
    assert world.hub.position.epoch == "another"


async def test_a_silent_hub_learns_of_a_new_epoch_by_its_probes(world: World) -> None:
    transport, _ = await world.open("a")
    world.broker.lose_memory()
    await world.hub._hearing._feed.probe()
    await world.settle()
    assert _resets(transport) == [["a"]]


async def test_a_slow_client_is_reset_by_a_new_epoch_too(world: World) -> None:
    transport, _ = await world.open("a")
    transport.door.clear()
    for _ in range(10):
        world.put("a", size=LARGE)
        await world.settle()
    world.broker.lose_memory()
    await world.hub._hearing._feed.probe()
    await world.settle()
    transport.door.set()
    await world.settle()
    assert _resets(transport) == [["a"]]
    later = world.put("a")
    await world.settle()
    assert _ids(transport)[-1:] == later


async def test_a_reset_that_an_overflow_has_dropped_is_given_again(
    world: World,
) -> None:
    transport, _ = await world.open("a")
    world.put("a")
    await world.settle()
    transport.door.clear()
    world.put("a", size=LARGE)
    await world.settle()
    world.put("a", size=LARGE)
    await world.settle()
    world.broker.lose_memory()
    for _ in range(10):
        world.put("a", size=LARGE)
        await world.settle()
    transport.door.set()
    await world.settle()
    assert _resets(transport) == [["a"]]
    later = world.put("a")
    await world.settle()
    assert _ids(transport)[-1:] == later


async def test_a_memory_that_is_lost_between_two_pages_resets_all_groups() -> None:
    world = World(history_size=2 * PAGE_EVENTS)
    await world.hub.start()
    cursor = world.hub.position
    world.put(*["a"] * (2 * PAGE_EVENTS), *["lost"] * (2 * PAGE_EVENTS + 1))

    async def memory_is_lost() -> None:
        world.broker.lose_memory()
        await world.broker.heard.probe()

    world.broker.after_read = memory_is_lost
    transport, _ = await world.open("a", "lost", cursor=cursor)
    await world.settle()
    assert _resets(transport) == [["lost"], ["a", "lost"]]
    assert transport.events[-1]["id"].startswith("another:")
    await world.hub.close()


@pytest.mark.parametrize("announced", [True, False])
async def test_a_memory_that_comes_back_is_heard_again(
    world: World, announced: bool
) -> None:
    transport, _ = await world.open("a")
    for epoch in ("second", world.first_epoch, "second", world.first_epoch):
        world.broker._epoch = epoch
        if announced:
            world.broker.heard.hear_again()
        else:
            await world.broker.heard.probe()
        await world.settle()
        assert world.hub.position.epoch == epoch
        ids = world.put("a")
        await world.settle()
        assert _ids(transport)[-1:] == ids
    assert _resets(transport) == [["a"]] * 4


async def test_what_comes_late_of_a_lost_memory_is_passed_over(world: World) -> None:
    transport, _ = await world.open("a")
    world.put("a")
    await world.settle()
    world.broker.lose_memory()
    await world.broker.heard.probe()
    await world.settle()
    world.broker.resumed.clear()
    for seq in range(5):
        old = Event(Position(world.first_epoch, 2**50 + seq), "a", "test", b"1")
        world.broker.heard.put(Delivery("a", 0, old))
    ids = world.put("a")
    await world.settle()
    assert _ids(transport)[-1:] == ids
    assert len(_ids(transport)) == 2
    assert world.broker.resumed == []


async def test_who_reads_of_a_new_epoch_before_the_hub_hears_it_waits_for_it(
    world: World,
) -> None:
    await world.open("a")
    stale = Position(world.hub.position.epoch, 1)
    world.broker.lose_memory()
    async with asyncio.timeout(PROBE_SECONDS / 2):
        transport, _ = await world.open("a", cursor=stale)
    assert transport.types == ["stream-open", "stream-reset", "keep-alive"]
    assert transport.events[-1]["id"].startswith("another:")
    ids = world.put("a")
    await world.settle()
    assert _ids(transport) == ids


# The broker is away.


async def test_groups_that_are_wanted_at_once_are_subscribed_together(
    world: World,
) -> None:
    asked: list[set[str]] = []
    subscribe = world.broker.heard.subscribe

    async def slowly(names: Collection[str]) -> Position:
        asked.append(set(names))
        await asyncio.sleep(0)
        return await subscribe(names)

    world.broker.heard.subscribe = slowly  # type: ignore[method-assign]
    await asyncio.gather(*(world.open(f"g{n}") for n in range(20)))
    assert asked == [{f"g{n}" for n in range(20)}]


async def test_a_stream_whose_groups_are_not_heard_in_time_is_sent_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "HEAR_SECONDS", 0.01)

    async def never(names: Collection[str]) -> Position:
        await asyncio.Event().wait()
        raise AssertionError

    world.broker.heard.subscribe = never  # type: ignore[method-assign]
    transport, _ = await world.open("a")
    assert transport.events[-1]["reason"] == "unavailable"
    await world.hub.drain(0.01)  # doesn't wait for it either


async def test_a_hub_starts_without_its_broker_and_recovers(world: World) -> None:
    world.broker.away = True
    hub = Hub(world.broker)
    await hub.start()
    assert hub.position == NOWHERE
    await world.settle()  # its first probe has come too early
    world.broker.away = False
    transport = Recorder()
    await hub.open(transport, ["a"], None, _greeting)
    assert hub.position.epoch == world.first_epoch
    assert transport.types == ["stream-open", "keep-alive"]
    assert transport.events[0]["id"].startswith(world.first_epoch)
    ids = world.put("a")
    await world.settle()
    assert _ids(transport) == ids
    await hub.close()


async def test_those_who_were_cut_at_once_are_read_for_once(world: World) -> None:
    cursor = world.hub.position
    world.put("a", "b")
    world.broker.resumed.clear()
    opened = await asyncio.gather(
        *(world.open("a", "b", cursor=cursor) for _ in range(20))
    )
    assert len(world.broker.resumed) == 1
    assert all(len(_ids(transport)) == 2 for transport, _ in opened)


async def test_one_of_them_who_leaves_takes_no_other_along(world: World) -> None:
    cursor = world.hub.position
    ids = world.put("a")
    one = asyncio.create_task(world.open("a", cursor=cursor))
    other = asyncio.create_task(world.open("a", cursor=cursor))
    for _ in range(4):
        await asyncio.sleep(0)
    one.cancel()
    transport, _ = await other
    assert _ids(transport) == ids
