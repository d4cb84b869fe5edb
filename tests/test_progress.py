"""Who comes with a vector: each event of each group once, whatever it had of others."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_components import wire
from sse_components.brokers.base import Announcement, Delivery, Feed
from sse_components.brokers.memory import MemoryBroker, MemoryFeed
from sse_components.channels import tag
from sse_components.events import Draft, Position, names_over
from sse_components.hub import Hub
from sse_components.progress import Progress
from sse_components.replay import PAGE_EVENTS
from sse_components.wire import Frame, Vector
from tests.transports import Recorder

NOW = 1_763_799_845_000_000


class LateFeed(MemoryFeed):
    """Is heard when it is let."""

    door: asyncio.Event

    def __init__(self, broker: MemoryBroker, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(broker, loop)
        self.late_name = ""
        self._late: list[Announcement] = []

    def put(self, announcement: Announcement) -> None:
        if isinstance(announcement, Delivery) and announcement.name == self.late_name:
            self._late.append(announcement)
        else:
            super().put(announcement)

    def hear_late(self) -> None:
        self.late_name = ""
        for announcement in self._late:
            self.put(announcement)
        self.wake()

    async def __aiter__(self) -> AsyncIterator[Sequence[Announcement]]:
        async for batch in super().__aiter__():
            await self.door.wait()
            yield batch


class LateBroker(MemoryBroker):
    def __init__(self, **limits: Any) -> None:
        clock = count(NOW)
        super().__init__(clock=lambda: next(clock), **limits)
        self.door = asyncio.Event()
        self.door.set()
        self.heard: LateFeed
        self.reads = 0
        self.after_read: Callable[[], object] = lambda: None
        """What happens before it is known what was read."""

    async def feed(self) -> Feed:
        feed = LateFeed(self, asyncio.get_running_loop())
        feed.door = self.door
        self.heard = feed
        self._feeds.add(feed)
        return feed

    async def resume(self, *arguments: Any) -> Any:
        await asyncio.sleep(0)
        self.reads += 1
        page = await super().resume(*arguments)
        self.after_read()
        await asyncio.sleep(0)
        return page


def _greeting(id: wire.Id | None) -> Frame:
    return wire.stream_open(
        id, connection="", groups=[], denied=[], keep_alive=15, retry=1, expires=None
    )


class World:
    """A broker with a history, and a hub that its clients move to."""

    def __init__(self, **limits: Any) -> None:
        self.broker = LateBroker(**limits)
        self.hub = Hub(self.broker)
        self.events: list[tuple[Position, str]] = []

    def put(self, *groups: str) -> list[str]:
        published = self.broker.publish([Draft(name, "test", b"{}") for name in groups])
        positions = [one.position for one in published]
        self.events += zip(positions, groups, strict=True)
        return [str(position) for position in positions]

    async def open(self, names: Sequence[str], cursor: wire.Id | None) -> Recorder:
        transport = Recorder()
        told = Progress(cursor, tag) if isinstance(cursor, Vector) else cursor
        await self.hub.open(transport, names, told, _greeting)
        return transport

    async def keep(self, *names: str) -> None:
        """Have a connection hear names, so that their events are in memory."""
        await self.open(names, None)

    async def settle(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)

    def vector(self, **ids: str) -> Vector:
        """Return a vector of events; `a_1` is the group `a.1`, `a_` the pattern."""
        positions = {}
        for key, id in ids.items():
            name = key.replace("_", ".") + "*" * key.endswith("_")
            positions[tag(name)] = wire.parse_position(id)
        return Vector(positions)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.hub.start()
    yield world
    await world.hub.close()


def _ids(transport: Recorder) -> list[str]:
    return [event["id"] for event in transport.events if event["type"] == "test"]


def _resets(transport: Recorder) -> list[list[str]]:
    return [e["groups"] for e in transport.events if e["type"] == "stream-reset"]


def _cursors(frames: Sequence[Frame]) -> list[str]:
    """Return where an EventSource is after each frame that tells."""
    found = [re.search(rb"^id: (.+)$", frame.sse, re.MULTILINE) for frame in frames]
    return [match[1].decode() for match in found if match]


# What a vector says.


def _progress(**seqs: int) -> Progress:
    positions = {tag(name): Position("e", seq) for name, seq in seqs.items()}
    return Progress(Vector(positions), tag)


def test_it_says_up_to_where_each_name_was_had() -> None:
    vector = {tag("a.1"): Position("e", 5), tag("a.*"): Position("e", 7)}
    progress = Progress(Vector(vector | {tag("b.1"): Position("e", 9)}), tag)
    had = {name: progress.of(name) for name in ["a.1", "a.2", "a.*", "b.1", "b.*", "c"]}
    assert had == {"a.1": 7, "a.2": 7, "a.*": 7, "b.1": 9, "b.*": 0, "c": 0}
    assert (progress.oldest, progress.newest) == (Position("e", 5), 9)


def test_it_goes_on_with_what_comes() -> None:
    progress = _progress(a=5, b=9)
    assert progress.at(5) == Vector(
        {tag("a"): Position("e", 5), tag("b"): Position("e", 9)}
    )
    assert progress.at(7) == Vector(
        {tag("a"): Position("e", 7), tag("b"): Position("e", 9)}
    )


def test_it_is_of_one_epoch() -> None:
    vector = {tag("a"): Position("e", 5), tag("b"): Position("f", 7)}
    with pytest.raises(ValueError, match="unpack"):
        Progress(Vector(vector), tag)


# What is sent.


@pytest.mark.parametrize("in_memory", [True, False])
async def test_of_each_group_comes_what_was_missed_of_it(
    world: World, in_memory: bool
) -> None:
    if in_memory:
        await world.keep("a", "b", "c")
    one, two, three, four, five = world.put("a", "b", "a", "b", "c")
    await world.settle()
    cursor = world.vector(a=three, b=two, c=one)
    transport = await world.open(["a", "b", "c"], cursor)
    assert transport.types == ["stream-open", "test", "test", "keep-alive"]
    assert _ids(transport) == [four, five]
    assert transport.events[0]["id"] == str(cursor)
    assert (world.broker.reads == 0) == in_memory


async def test_a_group_that_is_not_in_it_counts_from_the_oldest(world: World) -> None:
    ids = world.put("a", "b", "c", "a", "b", "c")
    cursor = world.vector(a=ids[3], b=ids[1])
    transport = await world.open(["a", "b", "c"], cursor)
    assert _ids(transport) == [ids[2], ids[4], ids[5]]


async def test_a_group_that_its_pattern_stood_for_counts_from_there(
    world: World,
) -> None:
    await world.keep("a.*")
    ids = world.put("a.1", "b", "a.2", "a.1", "b", "a.1")
    cursor = world.vector(a_=ids[3], b=ids[1])
    for names in (["a.*", "a.1", "b"], ["a.1", "b"]):
        transport = await world.open(names, cursor)
        assert _ids(transport) == [ids[4], ids[5]]


async def test_what_came_under_a_group_does_not_come_again_under_its_pattern(
    world: World,
) -> None:
    await world.keep("a.*")
    ids = world.put("a.1", "a.2", "a.1", "a.1", "a.2")
    cursor = world.vector(a_1=ids[2], a_=ids[0])
    transport = await world.open(["a.*", "a.1"], cursor)
    assert _ids(transport) == [ids[1], ids[3], ids[4]]


async def test_of_groups_that_it_does_not_know_all_after_the_oldest_comes(
    world: World,
) -> None:
    ids = world.put("a", "b", "c", "a", "b", "c")
    transport = await world.open(["c"], world.vector(a=ids[3], b=ids[1]))
    assert _ids(transport) == [ids[2], ids[5]]
    assert _resets(transport) == []


async def test_what_the_client_has_had_before_us_does_not_come_again_live(
    world: World,
) -> None:
    # Another process has published, stored and handed out what this one is still to
    # hear: the client comes with it before the feed does.
    await world.keep("a", "b")
    world.broker.door.clear()
    ids = world.put("a", "b", "a", "b")
    assert world.hub.position.seq < wire.parse_position(ids[0]).seq
    transport = await world.open(["a", "b"], world.vector(a=ids[2], b=ids[1]))
    assert _ids(transport) == ids[3:]
    world.broker.door.set()
    await world.settle()
    assert _ids(transport) == ids[3:]
    later = world.put("a", "b")
    await world.settle()
    assert _ids(transport) == ids[3:] + later


async def test_nor_does_what_is_heard_under_one_of_its_names_only(
    world: World,
) -> None:
    await world.keep("a.1", "a.*", "b")
    world.broker.heard.late_name = "a.*"
    ids = world.put("b", "b", "a.1")
    await world.settle()
    cursor = world.vector(a_=ids[2], b=ids[0])
    transport = await world.open(["a.*", "b"], cursor)
    world.broker.heard.hear_late()
    await world.settle()
    assert _ids(transport) == [ids[1]]


async def test_nor_does_what_it_has_had_behind_a_long_page(world: World) -> None:
    # After the first page the rings reach: they hold nothing of it yet.
    await world.keep("a", "b")
    first, *ids = world.put("a", *["b"] * (PAGE_EVENTS + 5))
    await world.settle()
    world.broker.door.clear()
    (newest,) = world.put("a")
    transport = await world.open(["a", "b"], world.vector(a=newest, b=first))
    world.broker.door.set()
    await world.settle()
    assert _ids(transport) == ids


@pytest.mark.parametrize("in_memory", [True, False])
async def test_until_it_is_level_an_event_goes_out_under_a_vector(
    world: World, in_memory: bool
) -> None:
    if in_memory:
        await world.keep("a", "b")
    ids = world.put("a", "b", "b", "a", "b", "a")
    await world.settle()
    transport = await world.open(["a", "b"], world.vector(a=ids[3], b=ids[0]))
    assert _ids(transport) == [ids[1], ids[2], ids[4], ids[5]]
    expected = [world.vector(a=ids[3], b=ids[n]) for n in (0, 1, 2)]
    cursors = _cursors(transport.written)
    assert cursors[:-1] == [*map(str, expected), ids[4], ids[5]]
    assert wire.parse_position(cursors[-1]).seq >= wire.parse_position(ids[5]).seq


async def test_a_vector_that_is_level_is_a_position(world: World) -> None:
    ids = world.put("a", "b", "a")
    transport = await world.open(["a", "b"], world.vector(a=ids[1], b=ids[1]))
    assert _cursors(transport.written)[:2] == [ids[1], ids[2]]


# What can't be repaired.


async def test_only_what_can_not_be_repaired_is_reset() -> None:
    world = World(history_size=2)
    await world.hub.start()
    ids = world.put("b", "c", "a", "a", "a", "b", "b", "b", "c")
    cursor = world.vector(a=ids[3], b=ids[0], c=ids[1])
    transport = await world.open(["a", "b", "c"], cursor)
    assert _resets(transport) == [["b"]]
    assert _ids(transport) == [ids[4], ids[8]]
    await world.hub.close()


async def test_what_lacks_nothing_is_not_reset_whatever_it_has_forgotten() -> None:
    world = World(history_size=0)
    await world.hub.start()
    ids = world.put("b", "a", "a", "a")
    transport = await world.open(["a", "b"], world.vector(a=ids[3], b=ids[0]))
    assert transport.types == ["stream-open", "keep-alive"]
    await world.hub.close()


@pytest.mark.parametrize("ahead", [True, False])
async def test_a_vector_of_another_memory_resets_all(world: World, ahead: bool) -> None:
    (id,) = world.put("a")
    now = await world.broker.position()
    future = Position(now.epoch, now.seq + 1_000_000)
    old = {"a": Position("other", 1), "b": Position("other", 2)}
    positions = {"a": wire.parse_position(id), "b": future} if ahead else old
    cursor = Vector({tag(name): position for name, position in positions.items()})
    transport = await world.open(["a", "b"], cursor)
    assert transport.types == ["stream-open", "stream-reset", "keep-alive"]
    opened, reset, _ = transport.events
    assert "id" not in opened
    assert reset["groups"] == ["a", "b"]
    later = world.put("a", "b")
    await world.settle()
    assert _ids(transport) == later


async def test_groups_can_be_added_to_a_stream_with_a_vector(world: World) -> None:
    transport = Recorder()
    subscriber = await world.hub.open(transport, ["x"], None, _greeting)
    ids = world.put("a", "b", "x", "a", "b")
    cursor = Progress(world.vector(a=ids[3], b=ids[1], x=ids[1]), tag)
    await world.hub.subscribe(subscriber, ["a", "b"], cursor, [])
    await world.settle()
    assert _ids(transport) == [ids[2], ids[4]]


# Whatever was published, had and cut.

GROUPS = ["a.1", "a.2", "b.1", "c"]
NAMES = [*GROUPS, "a.*", "b.*"]

histories = st.lists(st.sampled_from(GROUPS), min_size=5, max_size=30)


@given(
    histories,
    histories,
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 30), min_size=2),
    st.lists(st.sampled_from(NAMES), min_size=2, unique=True),
    st.sampled_from([1, 3, 100, 100]),
    st.lists(st.integers(1, 8), max_size=3),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=500)
@pytest.mark.no_cover
def test_a_client_that_moves_gets_what_it_missed_and_nothing_twice(
    before: list[str],
    meanwhile: list[str],
    had: dict[str, int],
    names: list[str],
    size: int,
    cuts: list[int],
    in_memory: bool,
    late: bool,
    busy: bool,
) -> None:
    moves = _moves(before, meanwhile, had, names, size, cuts, in_memory, late, busy)
    asyncio.run(moves, debug=False)


async def _moves(
    before: list[str],
    meanwhile: list[str],
    had: Mapping[str, int],
    names: Sequence[str],
    size: int,
    cuts: Sequence[int],
    in_memory: bool,
    late: bool,
    busy: bool,
) -> None:
    world = World(history_size=size)
    await world.hub.start()
    feed = await world.broker.feed()
    start = await feed.subscribe([name for name in NAMES if name.endswith("*")])
    if in_memory:
        await world.keep(*names)
    if late:
        world.broker.door.clear()
    world.put(*before)
    places = [start, *(position for position, _ in world.events)]
    at = {name: places[n % len(places)] for name, n in had.items()}
    oldest = min(position.seq for position in at.values())
    if busy:
        world.broker.after_read = lambda: meanwhile and world.put(meanwhile.pop())

    def since(name: str) -> int:
        seqs = [at[one].seq for one in names_over(name) if one in at]
        return max([oldest, *seqs])

    def heard_under(group: str) -> set[str]:
        return set(names_over(group)) & set(names)

    cursor: wire.Id = Vector({tag(name): position for name, position in at.items()})
    received: list[str] = []
    reset: set[str] = set()
    for number, cut in enumerate([*cuts, None]):
        await world.settle()
        transport = await world.open(names, cursor)
        frames = transport.written[:cut]
        if cut is None:
            world.broker.door.set()
            await world.settle()
            world.put(*GROUPS)
            await world.settle()
            frames = transport.written
        transport.written = list(frames)
        received += _ids(transport)
        lost = {name for names in _resets(transport) for name in names}
        for name in lost - reset if number == 0 else ():
            kept = [p.seq for p, group in world.events if name in names_over(group)]
            assert kept[: len(kept) - size][-1] > since(name)
        reset |= lost
        for text in _cursors(frames):
            cursor = wire.parse_cursor(text)
        if cut is not None:
            world.put(*(meanwhile.pop() for _ in range(len(meanwhile) // 2)))
    assert len(set(received)) == len(received)
    missed = [
        (str(position), group)
        for position, group in world.events
        if heard_under(group) and position.seq > since(group)
    ]
    assert set(received) <= {id for id, _ in missed}
    for id, group in missed:
        assert id in received or heard_under(group) & reset
    await world.hub.close()
