from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from functools import partial
from typing import Any

import pytest

from sse_components import wire
from sse_components.brokers.base import Announcement, Feed, Interruption, Resumption
from sse_components.brokers.memory import MemoryBroker, MemoryFeed
from sse_components.errors import BrokerUnavailable
from sse_components.events import NOWHERE, Draft, Event, Position
from sse_components.hearing import LINGER_SECONDS, RING_MICROSECONDS
from sse_components.hub import GATHERED_BYTES, STUCK_SECONDS, Hub
from sse_components.patience import MANY
from sse_components.replay import PAGE_EVENTS
from sse_components.revocations import Whose
from sse_components.ring import MAX_FRAMES
from sse_components.subscriber import MAX_PENDING, Subscriber
from sse_components.wire import Frame
from tests.transports import Recorder


class RecordingFeed(MemoryFeed):
    """Answers a turn of the loop late, as a feed with a network does."""

    subscribed: list[set[str]]
    unsubscribed: list[set[str]]
    away = False
    late: asyncio.Event | None = None
    """Until it is set, nothing more is heard."""

    async def __aiter__(self) -> AsyncIterator[Sequence[Announcement]]:
        async for batch in super().__aiter__():
            if self.late:
                await self.late.wait()
            yield batch

    async def subscribe(self, names: Collection[str]) -> Position:
        await asyncio.sleep(0)
        if self.away:
            raise BrokerUnavailable("away")
        self.subscribed.append(set(names))
        return await super().subscribe(names)

    async def unsubscribe(self, names: Collection[str]) -> None:
        await asyncio.sleep(0)
        self.unsubscribed.append(set(names))
        await super().unsubscribe(names)


class RecordingBroker(MemoryBroker):
    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.resumed: list[Position] = []
        self.away = False
        self.heard: RecordingFeed

    async def feed(self) -> Feed:
        self.heard = RecordingFeed(self, asyncio.get_running_loop())
        self.heard.subscribed, self.heard.unsubscribed = [], []
        self._feeds.add(self.heard)
        return self.heard

    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        await asyncio.sleep(0)
        if self.away:
            raise BrokerUnavailable("away")
        self.resumed.append(cursor)
        return await super().resume(cursor, names, limit)

    def put(self, group: str, count: int = 1, size: int = 0) -> list[Position]:
        payload = b'"%b"' % (b"x" * size)
        drafts = [Draft(group, "test", payload)] * count
        return [one.position for one in self.publish(drafts)]


def _greeting(id: wire.Id | None) -> Frame:
    return wire.stream_open(
        id,
        connection="c",
        groups=[],
        denied=[],
        keep_alive=15,
        retry=2000,
        expires=None,
    )


class World:
    def __init__(self, **limits: Any) -> None:
        self.broker = RecordingBroker(**limits)
        self.hub = Hub(self.broker)

    async def open(
        self, *names: str, cursor: Position | None = None
    ) -> tuple[Recorder, Subscriber]:
        transport = Recorder()
        subscriber = await self.hub.open(transport, names, cursor, _greeting)
        return transport, subscriber

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.hub.start()
    yield world
    await world.hub.close()


def _ids(transport: Recorder) -> list[str]:
    return [event["id"] for event in transport.events if event["type"] == "test"]


def _texts(positions: list[Position]) -> list[str]:
    return [str(position) for position in positions]


# Opening.


async def test_without_a_cursor_a_stream_begins_at_the_present(world: World) -> None:
    world.broker.put("a")
    transport, _ = await world.open("a")
    opened, complete = transport.events
    assert (opened["type"], complete["type"]) == ("stream-open", "keep-alive")
    assert opened["id"] == complete["id"]
    positions = world.broker.put("a", 2)
    await world.settle()
    assert _ids(transport) == _texts(positions)


async def test_with_a_cursor_a_stream_begins_with_what_was_missed(
    world: World,
) -> None:
    cursor = world.hub.position
    positions = world.broker.put("a", 3)
    transport, _ = await world.open("a", cursor=cursor)
    assert transport.types == ["stream-open", *["test"] * 3, "keep-alive"]
    assert transport.events[0]["id"] == str(cursor)
    assert _ids(transport) == _texts(positions)
    assert wire.parse_position(transport.events[-1]["id"]).seq >= positions[-1].seq


async def test_an_unusable_cursor_resets_all_groups_at_the_present(
    world: World,
) -> None:
    world.broker.put("a")
    transport, _ = await world.open("b", "a", cursor=Position("other", 1))
    assert transport.types == ["stream-open", "stream-reset", "keep-alive"]
    opened, reset, _ = transport.events
    assert "id" not in opened
    assert reset["groups"] == reset["channels"] == ["a", "b"]
    assert wire.parse_position(reset["id"]).epoch == world.hub.position.epoch


async def test_a_cursor_from_the_future_is_unusable_even_for_a_group_in_memory(
    world: World,
) -> None:
    await world.open("a")
    await world.settle()
    now = world.hub.position
    future = Position(now.epoch, now.seq + 3_600_000_000)
    transport, _ = await world.open("a", cursor=future)
    assert transport.types == ["stream-open", "stream-reset", "keep-alive"]
    positions = world.broker.put("a")
    await world.settle()
    assert _ids(transport) == _texts(positions)


async def test_a_group_whose_history_is_too_short_is_reset_alone() -> None:
    world = World(history_size=2)
    await world.hub.start()
    cursor = world.hub.position
    world.broker.put("a", 3)
    positions = world.broker.put("b", 2)
    transport, _ = await world.open("a", "b", cursor=cursor)
    types = ["stream-open", "stream-reset", "test", "test", "keep-alive"]
    assert transport.types == types
    opened, reset, *_ = transport.events
    assert opened["id"] == str(cursor)
    assert reset["groups"] == ["a"]
    assert "id" not in reset
    assert _ids(transport) == _texts(positions)
    await world.hub.close()


async def test_much_that_was_missed_is_read_in_pages(world: World) -> None:
    cursor = world.hub.position
    positions = world.broker.put("a", 3 * PAGE_EVENTS + 1)
    transport, _ = await world.open("a", cursor=cursor)
    assert _ids(transport) == _texts(positions)
    assert len(world.broker.resumed) == 4


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_replay_writes_no_more_at_once_than_may_be_pending(
    world: World, in_memory: bool
) -> None:
    await world.open("a" if in_memory else "other")
    await world.broker.heard.probe()
    await world.settle()
    cursor = world.hub.position
    positions = world.broker.put("a", 10, MAX_PENDING // 5)
    await world.settle()
    world.broker.resumed.clear()
    transport, _ = await world.open("a", cursor=cursor)
    assert (world.broker.resumed == []) == in_memory
    assert _ids(transport) == _texts(positions)
    assert max(transport.sizes) < MAX_PENDING + MAX_PENDING // 4
    assert len(transport.sizes) > 1


async def test_a_group_is_reset_once_in_a_replay_of_many_pages() -> None:
    world = World(history_size=3 * PAGE_EVENTS)
    await world.hub.start()
    cursor = world.hub.position
    positions = world.broker.put("b", 3 * PAGE_EVENTS)
    world.broker.put("a", 3 * PAGE_EVENTS + 1)
    transport, _ = await world.open("a", "b", cursor=cursor)
    assert transport.types.count("stream-reset") == 1
    ids = _ids(transport)
    assert [id for id in ids if id in set(_texts(positions))] == _texts(positions)
    await world.hub.close()


async def test_one_who_leaves_while_a_group_is_subscribed_takes_no_other_along(
    world: World,
) -> None:
    one = asyncio.create_task(world.open("a"))
    other = asyncio.create_task(world.open("a"))
    await asyncio.sleep(0)
    one.cancel()
    transport, _ = await other
    positions = world.broker.put("a")
    await world.settle()
    assert _ids(transport) == _texts(positions)


class _Fatal(Recorder):
    """A connection that takes the pump with it, as a time limit around send would."""

    async def write(self, frames: Sequence[Frame]) -> None:
        await super().write(frames)
        if any(b'"test"' in frame.json for frame in frames):
            task = asyncio.current_task()
            assert task
            task.cancel()


async def test_a_pump_that_dies_sends_everybody_back_and_hears_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    healthy, _ = await world.open("a")
    await world.hub.open(_Fatal(), ["a"], None, _greeting)
    world.broker.put("a")
    await world.settle()
    assert healthy.types[-1] == "stream-close"
    assert "begins anew" in caplog.text
    cursor = wire.parse_position(healthy.events[1]["id"])
    again, _ = await world.open("a", cursor=cursor)
    positions = world.broker.put("a")
    await world.settle()
    assert _ids(again)[-1:] == _texts(positions)
    assert len(_ids(again)) == 2


async def test_the_timer_outlives_a_broker_that_is_away(world: World) -> None:
    hub = Hub(world.broker, keep_alive=0.05)
    await hub.start()

    async def probe() -> None:
        raise BrokerUnavailable("away")

    world.broker.heard.probe = probe  # type: ignore[method-assign]
    transport = Recorder()
    await hub.open(transport, ["a"], None, _greeting)
    await transport.until(lambda: transport.types.count("keep-alive") >= 4)
    await hub.close()


async def test_a_closed_hub_leaves_nothing_in_the_broker() -> None:
    world = World()
    await world.hub.start()
    await world.open("a")
    await world.hub.close()
    assert not world.broker._feeds
    assert not world.broker._hearers


# A5
async def test_those_who_come_back_at_once_are_served_without_the_broker(
    world: World,
) -> None:
    await world.open("a")
    positions = world.broker.put("a", 100)
    await world.settle()
    world.broker.resumed.clear()
    transport, _ = await world.open("a", cursor=positions[0])
    assert _ids(transport) == _texts(positions[1:])
    assert world.broker.resumed == []


async def test_memory_that_has_given_way_sends_them_to_the_broker(
    world: World,
) -> None:
    await world.open("a")
    positions = world.broker.put("a", MAX_FRAMES + 1)
    await world.settle()
    world.broker.resumed.clear()
    await world.open("a", cursor=positions[0])
    assert world.broker.resumed == []
    start = Position(positions[0].epoch, positions[0].seq - 1)
    transport, _ = await world.open("a", cursor=start)
    assert world.broker.resumed[0] == start
    assert "stream-reset" in transport.types  # history_size is below MAX_FRAMES


# Subscribing.


async def test_two_who_want_a_new_group_at_once_both_hear_it(world: World) -> None:
    (one, _), (other, _) = await asyncio.gather(world.open("a"), world.open("a"))
    positions = world.broker.put("a")
    await world.settle()
    assert _ids(one) == _ids(other) == _texts(positions)
    assert world.broker.heard.subscribed.count({"a"}) == 1


async def test_a_group_is_heard_for_a_while_after_its_last_subscriber(
    world: World,
) -> None:
    _, subscriber = await world.open("a", "b")
    await world.hub.leave(subscriber)
    now = time.monotonic()
    world.hub._hearing.let_go(now + LINGER_SECONDS - 1)
    await world.settle()
    assert world.broker.heard.unsubscribed == []
    world.hub._hearing.let_go(now + LINGER_SECONDS + 1)
    await world.settle()
    assert world.broker.heard.unsubscribed == [{"a", "b"}]


async def test_who_comes_back_in_that_while_keeps_the_group(world: World) -> None:
    _, subscriber = await world.open("a")
    await world.hub.leave(subscriber)
    transport, _ = await world.open("a")
    world.hub._hearing.let_go(time.monotonic() + LINGER_SECONDS + 1)
    await world.settle()
    positions = world.broker.put("a")
    await world.settle()
    assert _ids(transport) == _texts(positions)
    assert world.broker.heard.unsubscribed == []


async def test_who_comes_just_as_a_group_is_let_go_hears_it(world: World) -> None:
    _, subscriber = await world.open("a")
    await world.hub.leave(subscriber)
    world.hub._hearing.let_go(time.monotonic() + LINGER_SECONDS + 1)
    transport, _ = await world.open("a")  # before the feed has unsubscribed
    await world.settle()
    positions = world.broker.put("a")
    await world.settle()
    assert _ids(transport) == _texts(positions)


async def test_a_broker_that_is_away_ends_the_stream_for_now(world: World) -> None:
    world.broker.heard.away = True
    transport, _ = await world.open("a")
    assert transport.types == ["stream-close"]
    assert transport.events[0]["reason"] == "unavailable"
    assert transport.events[0]["retry"] >= 500
    world.broker.heard.away = False
    transport, _ = await world.open("a")
    positions = world.broker.put("a")
    await world.settle()
    assert _ids(transport) == _texts(positions)


async def test_a_broker_that_can_not_be_read_ends_the_stream_for_now(
    world: World,
) -> None:
    world.broker.away = True
    stale = Position(world.hub.position.epoch, 1)
    transport, _ = await world.open("a", cursor=stale)
    assert transport.types == ["stream-close"]


async def test_a_deserted_group_of_a_failed_subscription_takes_no_other_along(
    world: World,
) -> None:
    world.broker.heard.away = True
    _, failed = await world.open("a")
    await world.hub.leave(failed)
    world.broker.heard.away = False
    transport, _ = await world.open("a")
    world.hub._hearing.let_go(time.monotonic() + LINGER_SECONDS + 1)
    await world.settle()
    positions = world.broker.put("a")
    await world.settle()
    assert _ids(transport) == _texts(positions)


# Fan-out.


# A61
async def test_an_event_under_a_group_and_a_pattern_comes_once(world: World) -> None:
    transport, _ = await world.open("demo.todo.7", "demo.todo.*")
    positions = world.broker.put("demo.todo.7", 2) + world.broker.put("demo.todo.8")
    await world.settle()
    assert _ids(transport) == _texts(positions)


async def test_an_event_is_encoded_once_for_all(world: World) -> None:
    opened = [await world.open(name) for name in ["a.1", "a.1", "a.*"]]
    world.broker.put("a.1")
    await world.settle()
    assert len({id(transport.written[-1]) for transport, _ in opened}) == 1


async def test_what_is_published_in_one_turn_is_written_at_once(world: World) -> None:
    transport, _ = await world.open("a", "b")
    writes = transport.writes
    for _ in range(50):
        world.broker.put("a")
        world.broker.put("b")
    await world.settle()
    assert len(_ids(transport)) == 100
    assert transport.writes == writes + 1


# A7
async def test_a_burst_to_one_group_arrives_whole(world: World) -> None:
    transport, _ = await world.open("a")
    positions = world.broker.put("a", 1000, 1000)
    await transport.until(lambda: len(_ids(transport)) == 1000)
    assert _ids(transport) == _texts(positions)


async def test_those_who_left_are_sent_nothing(world: World) -> None:
    transport, subscriber = await world.open("a")
    await world.hub.leave(subscriber)
    world.broker.put("a")
    await world.settle()
    assert _ids(transport) == []
    assert world.hub.connections == 0


# Slow clients.


# A8
async def test_a_client_that_does_not_read_holds_up_nobody_and_misses_nothing(
    world: World,
) -> None:
    (slow, subscriber), (fast, _) = await world.open("a"), await world.open("a")
    slow.door.clear()
    positions = []
    for _ in range(40):
        positions += world.broker.put("a", 1, MAX_PENDING // 20)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await world.settle()
    assert _ids(fast) == _texts(positions)
    assert _ids(slow) == []
    assert sum(len(frame.sse) for frame in subscriber.pending) <= MAX_PENDING
    slow.door.set()
    await world.settle()
    assert _ids(slow) == _texts(positions)
    assert "stream-reset" not in slow.types
    later = world.broker.put("a")
    await world.settle()
    assert _ids(slow) == _texts(positions + later)


async def test_a_client_that_is_too_slow_for_the_history_is_reset() -> None:
    world = World(history_size=10)
    await world.hub.start()
    slow, _ = await world.open("a")
    slow.door.clear()
    for _ in range(100):
        world.broker.put("a", 1, MAX_PENDING // 8)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await world.settle()
    slow.door.set()
    await world.settle()
    assert slow.types.count("stream-reset") == 1
    later = world.broker.put("a")
    await world.settle()
    assert _ids(slow)[-1:] == _texts(later)
    await world.hub.close()


async def test_a_client_that_takes_nothing_for_long_is_cut(world: World) -> None:
    transport, _ = await world.open("a")
    transport.door.clear()
    world.broker.put("a")
    await world.settle()
    world.hub._keep_all_alive(time.monotonic() + STUCK_SECONDS - 1)
    assert not transport.aborted
    world.hub._keep_all_alive(time.monotonic() + STUCK_SECONDS + 1)
    assert transport.aborted


# Keep-alives.


# A3
async def test_a_silent_stream_gets_keep_alives_that_move_its_cursor(
    world: World,
) -> None:
    transport, _ = await world.open("a")
    await world.broker.heard.probe()
    await world.settle()
    world.hub._keep_all_alive(time.monotonic() + 16)
    assert transport.types == ["stream-open", "keep-alive", "keep-alive"]
    assert transport.events[-1]["id"] == str(world.hub.position)
    assert world.hub.position.seq > wire.parse_position(transport.events[0]["id"]).seq


async def test_a_keep_alive_never_moves_a_cursor_back(world: World) -> None:
    now = world.hub.position
    ahead = await world.broker.position()
    transport, _ = await world.open("a", cursor=ahead)
    assert now.seq < ahead.seq
    world.hub._keep_all_alive(time.monotonic() + 16)
    seqs = [wire.parse_position(event["id"]).seq for event in transport.events]
    assert seqs == sorted(seqs)


async def test_the_timer_probes_and_keeps_alive() -> None:
    broker = RecordingBroker()
    hub = Hub(broker, keep_alive=0.05)
    await hub.start()
    start = hub.position
    transport = Recorder()
    await hub.open(transport, ["a"], None, _greeting)
    await transport.until(lambda: transport.types.count("keep-alive") >= 4)
    assert hub.position.seq > start.seq
    await hub.close()


async def test_memory_for_those_who_come_back_at_once_is_let_go_in_time(
    world: World,
) -> None:
    transport, _ = await world.open("a")
    positions = world.broker.put("a")
    await world.settle()
    world.broker.resumed.clear()
    world.hub._hearing.position = Position(
        positions[0].epoch, positions[0].seq + RING_MICROSECONDS + 1
    )
    world.hub._hearing.let_go(time.monotonic())
    start = Position(positions[0].epoch, positions[0].seq - 1)
    again, _ = await world.open("a", cursor=start)
    assert world.broker.resumed == [start]
    assert _ids(again) == _ids(transport) == _texts(positions)


# The end.


async def test_old_connections_are_sent_away_each_at_a_time_of_its_own(
    world: World,
) -> None:
    hub = Hub(world.broker, rotate=100)
    await hub.start()
    opened = time.monotonic()
    transports = [Recorder() for _ in range(50)]
    for transport in transports:
        await hub.open(transport, ["a"], None, _greeting)
    hub._keep_all_alive(opened + 74)
    assert not any(transport.ended for transport in transports)
    hub._keep_all_alive(opened + 100)
    assert 0 < sum(transport.ended for transport in transports) < 50
    hub._keep_all_alive(time.monotonic() + 126)
    for transport in transports:
        assert transport.ended
        assert transport.events[-1]["reason"] == "rotated"
        assert transport.events[-1]["retry"] == 500
    await hub.close()


async def test_a_drain_tells_everybody_when_to_come_back(world: World) -> None:
    opened = [await world.open("a") for _ in range(50)]
    task = asyncio.create_task(world.hub.drain(5))
    await world.settle()
    closes = [transport.events[-1] for transport, _ in opened]
    assert {close["reason"] for close in closes} == {"shutdown"}
    retries = {close["retry"] for close in closes}
    assert len(retries) > 10
    assert all(500 <= retry <= 3000 for retry in retries)
    assert all(transport.ended for transport, _ in opened)
    for _, subscriber in opened:
        await world.hub.leave(subscriber)
    await asyncio.wait_for(task, 1)
    assert not any(transport.aborted for transport, _ in opened)


async def test_a_drain_cuts_those_who_take_nothing(world: World) -> None:
    transport, subscriber = await world.open("a")
    transport.door.clear()
    world.broker.put("a")
    await world.settle()
    await asyncio.wait_for(world.hub.drain(0.01), 5)
    assert transport.aborted
    await world.hub.leave(subscriber)


async def test_who_comes_during_a_drain_is_sent_away(world: World) -> None:
    await world.hub.drain(0.01)
    transport, _ = await world.open("a")
    assert transport.types == ["stream-close"]


async def test_closing_the_hub_cuts_what_is_open() -> None:
    world = World()
    await world.hub.start()
    transport, _ = await world.open("a")
    await world.hub.close()
    assert transport.aborted
    assert world.hub.connections == 0


# Company


async def _crowd(world: World) -> list[Recorder]:
    return [(await world.open("news.a"))[0] for _ in range(MANY)]


async def test_a_large_fan_out_is_written_together_with_what_comes_at_once(
    world: World,
) -> None:
    crowd = await _crowd(world)
    await world.settle()
    before = [recorder.writes for recorder in crowd]
    published = []
    for _ in range(8):
        published += [str(position) for position in world.broker.put("news.a")]
        await world.settle()
    await crowd[-1].until(lambda: len(_ids(crowd[-1])) == 8)
    for recorder, writes in zip(crowd, before, strict=True):
        assert _ids(recorder) == published
        assert recorder.writes - writes <= 2


async def test_what_is_too_much_to_wait_with_is_written_at_once(world: World) -> None:
    crowd = await _crowd(world)
    await world.settle()
    world.broker.put("news.a")
    await world.settle()
    assert _ids(crowd[0]) == []
    for _ in range(3):
        world.broker.put("news.a", size=GATHERED_BYTES // 2)
        await world.settle()
    assert len(_ids(crowd[0])) >= 3
    await crowd[-1].until(lambda: len(_ids(crowd[-1])) == 4)


async def test_what_waits_for_company_is_sent_before_a_stream_ends(
    world: World,
) -> None:
    crowd = await _crowd(world)
    await world.settle()
    (position,) = world.broker.put("news.a")
    await world.settle()
    assert _ids(crowd[0]) == []
    await world.hub.drain(0)
    assert _ids(crowd[0]) == [str(position)]
    assert crowd[0].types[-1] == "stream-close"


# Groups that come later


def _answer(name: str) -> list[Frame]:
    return [wire.subscription_response(name, "subscribed")]


async def _late(world: World) -> asyncio.Event:
    world.broker.heard.late = asyncio.Event()
    return world.broker.heard.late


# Feed: a, g heard up to 100. g@120 is published and not heard yet. A connection that
# was brought up to date by the broker is at 150. It takes up g after 100: the rings
# reach back so far, and the event is still to come, below 150.
async def test_who_is_ahead_of_the_feed_waits_for_it_before_a_group_is_joined(
    world: World,
) -> None:
    await world.open("a", "g")
    world.broker.put("a")
    await world.settle()
    since = world.hub.position
    late = await _late(world)
    missed = world.broker.put("g")
    await asyncio.sleep(0.001)
    transport, subscriber = await world.open("a", cursor=await world.broker.position())
    taking = asyncio.create_task(
        world.hub.subscribe(subscriber, ["g"], since, _answer("g"))
    )
    await world.settle()
    late.set()
    await taking
    live = world.broker.put("g")
    await transport.until(lambda: len(_ids(transport)) == 2)
    assert _ids(transport) == _texts([*missed, *live])


# The same the other way round: g is read from the broker up to 150, and g@120 is still
# to be heard when the group is joined.
async def test_what_was_read_of_a_group_does_not_come_again_from_the_feed(
    world: World,
) -> None:
    await world.open("a")
    since = await world.broker.position()
    missed = world.broker.put("g")
    await world.open("g")
    await world.settle()
    transport, subscriber = await world.open("a")
    late = await _late(world)
    missed += world.broker.put("g")
    taking = asyncio.create_task(
        world.hub.subscribe(subscriber, ["g"], since, _answer("g"))
    )
    await world.settle()
    late.set()
    await taking
    live = world.broker.put("g")
    await transport.until(lambda: transport.types[-1] == "test")
    await world.settle()
    assert _ids(transport) == _texts([*missed, *live])


# A write waits; more comes than may wait; the client takes up a group. Its replay must
# not be interrupted by the keep-alive that says it has all of the others.
async def test_no_keep_alive_comes_before_a_replay_has_ended(world: World) -> None:
    await world.open("g")
    since = await world.broker.position()
    world.broker.put("g")
    await world.settle()
    transport, subscriber = await world.open("a")
    transport.door.clear()
    world.broker.put("a")
    await world.settle()
    world.broker.put("a", 6, size=MAX_PENDING // 5)
    await world.settle()
    taking = asyncio.create_task(
        world.hub.subscribe(subscriber, ["g"], since, _answer("g"))
    )
    await world.settle()
    transport.door.set()
    await taking
    await world.settle()
    answered = transport.types.index("subscription.response")
    assert "keep-alive" not in transport.types[answered:-1]
    assert transport.types[-1] == "keep-alive"
    assert len(set(_ids(transport))) == len(_ids(transport)) == 8


def _has_more(transport: Recorder, frames: int) -> bool:
    return len(transport.written) > frames


async def test_who_falls_behind_in_a_replay_is_not_sent_the_same_again(
    world: World,
) -> None:
    await world.open("g")
    since = await world.broker.position()
    world.broker.put("g", 3 * PAGE_EVENTS)
    await world.settle()
    group = world.hub._hearing._groups["g"]
    group.begin(group.last)  # its ring is empty: pages come from the broker
    transport, subscriber = await world.open("a")
    transport.door.clear()
    taking = asyncio.create_task(
        world.hub.subscribe(subscriber, ["g"], since, _answer("g"))
    )
    for _ in range(3):
        await world.settle()
        world.broker.put("a", 12, size=MAX_PENDING // 5)
        await world.settle()
        written = len(transport.written)
        transport.door.set()
        await transport.until(partial(_has_more, transport, written))
        transport.door.clear()
    transport.door.set()
    await taking
    await world.settle()
    assert len(_ids(transport)) == len(set(_ids(transport))) == 3 * PAGE_EVENTS + 36


async def test_what_is_pending_of_a_group_comes_before_it_is_left(
    world: World,
) -> None:
    transport, subscriber = await world.open("a")
    transport.door.clear()
    world.broker.put("a")
    await world.settle()
    world.broker.put("a")
    await world.settle()
    answer = [wire.subscription_response("a", "unsubscribed")]
    leaving = asyncio.create_task(world.hub.unsubscribe(subscriber, ["a"], answer))
    await world.settle()
    transport.door.set()
    await leaving
    world.broker.put("a")
    await world.settle()
    assert transport.types[-3:] == ["test", "test", "subscription.response"]


async def test_who_waits_for_an_answer_is_let_go_when_the_connection_closes(
    world: World,
) -> None:
    _, subscriber = await world.open("a")
    asking = asyncio.create_task(world.hub.pong(subscriber))
    closing = asyncio.create_task(subscriber.close())  # before the errand has begun
    await closing
    async with asyncio.timeout(1):
        await asking


async def test_an_event_before_the_reset_of_an_epoch_is_not_taken_for_known(
    world: World,
) -> None:
    _, subscriber = await world.open("x")
    await world.hub.subscribe(subscriber, ["a.7"], None, _answer("a.7"))
    seq = world.hub.position.seq + 1000
    world.hub._hearing._begin(Position("another", seq))
    event = Event(Position("another", seq - 500), "a.7", "test", b"1")
    assert not subscriber.knows(wire.event(event))


async def test_no_more_groups_linger_than_may(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sse_components.hearing.MAX_LINGERING", 10)
    _, subscriber = await world.open("a")
    for number in range(30):
        await world.hub.subscribe(subscriber, [f"g.{number}"], None, [])
        await world.hub.unsubscribe(subscriber, [f"g.{number}"], [])
    world.hub._hearing.let_go(time.monotonic())
    await world.settle()
    assert set(world.hub._hearing._groups) == {"a", *(f"g.{n}" for n in range(20, 30))}


# The reader waits for a new group to be heard; meanwhile all are to be caught up.
async def test_who_falls_behind_before_a_replay_goes_on_where_it_was(
    world: World,
) -> None:
    transport, subscriber = await world.open("a")
    taking = asyncio.create_task(
        world.hub.subscribe(subscriber, ["g"], None, _answer("g"))
    )
    for _ in range(2):
        await asyncio.sleep(0)
    assert "g" in world.hub._hearing._groups
    missed = world.broker.put("a")
    world.hub.lag()
    async with asyncio.timeout(5):
        await taking
    live = world.broker.put("a")
    await world.settle()
    assert _ids(transport) == _texts([*missed, *live])


# What is revoked. Who is told of it by streams is in tests/streams/test_revocation.py.


def _of(world: World, user: str) -> Whose:
    return Whose(world.hub.judged, user)


async def _open(world: World, *names: str, user: str = "7") -> Recorder:
    await world.hub.recalled()
    transport = Recorder()
    await world.hub.open(transport, names, None, _greeting, _of(world, user))
    return transport


# The client doesn't read; it is revoked; something is published; the client reads on.
async def test_who_reads_nothing_gets_nothing_that_came_after_the_revocation(
    world: World,
) -> None:
    transport = await _open(world, "a")
    transport.door.clear()
    (before,) = world.broker.put("a")  # is on its way already
    await world.settle()
    world.broker.put("a")
    await world.settle()
    await world.broker.arevoke("user:7", "", 60)
    await world.settle()
    world.broker.put("a", 3)
    await world.settle()
    transport.door.set()
    await world.settle()
    assert _ids(transport) == [str(before)]
    assert transport.types[-1] == "stream-error"
    assert transport.ended


# A first page is being read; the stream is revoked; the page is there.
async def test_a_page_that_was_read_before_the_revocation_isnt_written_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.hub.recalled()
    cursor = world.hub.position
    world.broker.put("a", 3)
    resume = world.broker.resume

    async def revoked_meanwhile(*arguments: Any) -> Resumption:
        page = await resume(*arguments)
        await world.broker.arevoke("user:7", "a", 60)
        await world.settle()
        return page

    monkeypatch.setattr(world.broker, "resume", revoked_meanwhile)
    transport = Recorder()
    whose = Whose(cursor, "7")
    await world.hub.open(transport, ["a"], cursor, _greeting, whose)
    assert transport.types == ["stream-close"]


async def test_a_revocation_by_any_of_its_grants_ends_a_stream(world: World) -> None:
    await world.hub.recalled()
    transport = Recorder()
    subscriber = await world.hub.open(transport, ["a"], None, _greeting)
    whose = Whose(world.hub.judged, "7", session="h-b")
    await world.hub.subscribe(subscriber, ["b"], None, [], whose)
    assert subscriber.whose.user is None  # as it was counted
    await world.broker.arevoke("session:h-b", "", 60)
    await world.settle()
    assert transport.types[-1] == "stream-close"
    assert transport.ended


# R is published; the feed was interrupted, so R isn't known; the position moves past R;
# something is granted at that position; R is read.
async def test_nothing_is_granted_past_what_is_known_to_be_revoked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.hub.recalled()
    before = world.hub.judged
    monkeypatch.setattr(world.broker.heard, "put", lambda announcement: None)
    revoked = await world.broker.arevoke("user:7", "", 60)
    monkeypatch.undo()
    reading = asyncio.Event()
    revocations = world.broker.revocations

    async def slow() -> Any:
        await reading.wait()
        return await revocations()

    monkeypatch.setattr(world.broker, "revocations", slow)
    world.broker.heard.put(Interruption())
    world.broker.heard.wake()
    await world.settle()
    assert world.hub.position.seq >= revoked.seq
    assert world.hub.judged.seq < revoked.seq
    assert world.hub.judged.seq >= before.seq
    assert not world.hub.is_recalled
    reading.set()
    await world.hub.recalled()
    assert world.hub.judged.seq >= revoked.seq
    assert world.hub.revocations.cover(Whose(before, "7"))


async def test_in_a_new_epoch_nothing_is_known_until_it_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.hub.recalled()
    reading = asyncio.Event()
    revocations = world.broker.revocations

    async def slow() -> Any:
        await reading.wait()
        return await revocations()

    monkeypatch.setattr(world.broker, "revocations", slow)
    world.hub.begin(Position("another", world.hub.position.seq))
    assert world.hub.judged == NOWHERE
    assert not world.hub.is_recalled
    reading.set()
    await world.hub.recalled()
    assert world.hub.judged == world.hub.position


# It falls behind and is brought up to date, page by page; before the last page is
# written it is to hear another group, which takes a while; meanwhile it falls behind
# again.
async def test_who_falls_behind_twice_is_not_told_anything_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport, subscriber = await world.open("a")
    transport.door.clear()
    size = MAX_PENDING // 5
    positions = world.broker.put("a")
    await world.settle()
    positions += world.broker.put("a", 8, size)
    await world.settle()
    heard, subscribe = asyncio.Event(), world.broker.heard.subscribe

    async def slow(names: Collection[str]) -> Position:
        await heard.wait()
        return await subscribe(names)

    monkeypatch.setattr(world.broker.heard, "subscribe", slow)
    asking = asyncio.create_task(world.hub.subscribe(subscriber, ["c"], None, []))
    transport.door.set()
    await world.settle()
    positions += world.broker.put("a", 8, size)
    await world.settle()
    heard.set()
    await asking
    await world.settle()
    assert _ids(transport) == _texts(positions)
