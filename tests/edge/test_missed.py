from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_components.brokers.memory import MemoryBroker
from sse_components.channels import tag
from sse_components.edge import missed
from sse_components.edge.missed import Missed, Places
from sse_components.events import Draft, Position, is_pattern
from sse_components.requests import UNREADABLE
from sse_components.wire import Vector

NOW = 1_763_799_845_000_000
SECONDS = 60
MEMORY = 86_400


@dataclass
class Time:
    now: int = NOW

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += int(seconds * 1e6)


@dataclass
class World:
    """A broker whose time stands still, and what is read from it."""

    time: Time = field(default_factory=Time)
    places: Places = field(default_factory=lambda: Places(SECONDS, MEMORY))

    def __post_init__(self) -> None:
        self.broker = MemoryBroker(clock=self.time, history_size=500)

    async def publish(self, *groups: str) -> list[Position]:
        self.time.advance(0.001)
        drafts = [Draft(group, "hello", b"{}") for group in groups]
        return [one.position for one in self.broker.publish(drafts)]

    async def read(self, at: dict[str, Position]) -> Missed:
        await self.broker.note([name for name in at if is_pattern(name)])
        return await missed.read(self.broker, at, self.places)

    async def present(self, *names: str) -> dict[str, Position]:
        present = await self.broker.note([name for name in names if is_pattern(name)])
        return dict.fromkeys(names, present)


@pytest.fixture
def world() -> World:
    return World()


def positions(found: Missed) -> list[Position]:
    return [event.position for event in found.events]


async def test_each_name_has_a_cursor_of_its_own(world: World) -> None:
    first = await world.publish("a", "b", "c")
    second = await world.publish("a", "b", "c")
    found = await world.read({"a": first[0], "b": second[1], "c": first[2]})
    assert positions(found) == [second[0], second[2]]
    assert found.reached == {"a": second[0], "b": second[1], "c": second[2]}
    assert not found.lost
    assert not found.more


async def test_a_name_is_where_its_newest_event_is(world: World) -> None:
    (newest,) = await world.publish("a")
    world.time.advance(1000)
    found = await world.read(await world.present("a"))
    assert found.reached == {"a": newest}  # so that the next one follows it


async def test_names_without_events_are_at_the_same_place_for_a_while(
    world: World,
) -> None:
    await world.read(await world.present("x"))  # it has been running for long
    world.time.advance(3 * SECONDS)
    one = (await world.read(await world.present("a"))).reached["a"]
    world.time.advance(1)
    other = (await world.read(await world.present("b"))).reached["b"]
    assert one == other
    assert world.time.now - SECONDS * 1e6 < one.seq <= world.time.now
    (first,) = await world.publish("a")
    found = await world.read({"a": one, "b": other})
    assert positions(found) == [first]
    assert not found.lost


async def test_no_name_is_at_a_place_from_before_the_broker(world: World) -> None:
    found = await world.read(await world.present("a"))
    assert found.reached["a"].seq == NOW
    assert not (await world.read(dict(found.reached))).lost


async def test_a_name_that_was_silent_for_long_is_not_left_behind(
    world: World,
) -> None:
    (old,) = await world.publish("a")
    at = {"a": old}
    for _ in range(6):  # longer than the broker remembers it
        world.time.advance(MEMORY / 4)
        found = await world.read(at)
        assert not found.lost
        at = dict(found.reached)
    (new,) = await world.publish("a")
    assert positions(await world.read(at)) == [new]


async def test_a_pattern_is_where_it_was_noted_until_it_has_an_event(
    world: World,
) -> None:
    at = await world.present("a.*")
    world.time.advance(1)
    found = await world.read(at)
    assert found.reached == at
    (first,) = await world.publish("a.1")
    found = await world.read(at)
    assert positions(found) == [first]
    assert found.reached == {"a.*": first}


async def test_what_can_not_be_given_is_lost_alone(world: World) -> None:
    first = await world.publish("a", "b")
    await world.publish(*["a"] * 501)
    (last,) = await world.publish("b")
    at = {"a": first[0], "b": first[1]}
    found = await world.read(at)
    assert found.lost == ["a"]
    assert positions(found) == [last]
    assert found.begun["a"] == found.reached["a"] != first[0]
    assert found.begun["b"] == first[1]


async def test_a_cursor_that_can_not_be_read_loses_its_names(world: World) -> None:
    a, b = await world.publish("a", "b")
    found = await world.read({"a": UNREADABLE, "b": b})
    assert found.lost == ["a"]
    assert found.begun == found.reached == {"a": a, "b": b}


async def test_a_long_history_comes_in_parts(world: World) -> None:
    (at,) = await world.publish("a")
    published = await world.publish(*["a"] * 250)
    found, read = await world.read({"a": at}), []
    while found.more:
        assert len(found.events) == missed.EVENTS
        read += positions(found)
        found = await world.read(dict(found.reached))
    assert read + positions(found) == published


def test_a_pattern_stands_for_the_groups_below_it() -> None:
    assert missed.heard(["b", "a.1", "a.*", "a.b.2", "a.2", "b"]) == [
        "a.*",
        "a.b.2",
        "b",
    ]


AT, LATER = Position("e", 5), Position("e", 9)


def test_without_a_cursor_all_begins_at_the_present() -> None:
    assert missed.starts(None, ["a", "b"], AT) == {"a": AT, "b": AT}


def test_a_position_is_that_of_all_names() -> None:
    assert missed.starts(LATER, ["a", "b"], AT) == {"a": LATER, "b": LATER}


def test_a_vector_of_other_tags_can_not_be_read() -> None:
    """As those are that were made with another SECRET_KEY."""
    vector = Vector({"0" * 8: AT, "1" * 8: LATER})
    assert missed.starts(vector, ["a"], LATER) == {"a": UNREADABLE}


def test_a_name_that_a_vector_lacks_begins_at_its_oldest_place() -> None:
    vector = Vector({tag("a"): LATER, tag("x"): AT})
    assert missed.starts(vector, ["a", "b"], LATER) == {"a": LATER, "b": AT}


@pytest.mark.parametrize(
    ("had", "comes"),
    [
        ({"a.1": 2}, [1]),
        ({"a.1": 0}, [1, 2]),
        ({"a.1": 2, "a.2": 1}, []),
        ({"a.3": 2}, [1, 2]),
    ],
)
async def test_what_came_under_another_name_does_not_come_again(
    world: World, had: dict[str, int], comes: list[int]
) -> None:
    at = await world.present("a.*")
    published = await world.publish("x", "a.2", "a.1")
    vector = Vector({tag(name): published[number] for name, number in had.items()})
    assert missed.had_elsewhere(vector, ["a.*"]) == vector
    found = await missed.read(world.broker, at, world.places, vector)
    assert positions(found) == [published[number] for number in comes]
    assert found.reached == {"a.*": published[2]}


def test_a_cursor_of_the_same_names_says_no_more_than_where_they_are() -> None:
    vector = Vector({tag("a"): AT, tag("b"): LATER})
    assert missed.had_elsewhere(vector, ["b", "a", "c"]) is None
    assert missed.had_elsewhere(AT, ["a"]) is None
    assert missed.had_elsewhere(None, ["a"]) is None


NAMES = ["a", "b", "c.1", "d.*"]
GROUPS = ["a", "b", "c.1", "d.1", "d.2"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(GROUPS), max_size=300), st.data())
async def test_whoever_comes_back_gets_what_is_missing_and_nothing_else(
    history: list[str], data: st.DataObject
) -> None:
    world = World()
    at = await world.present(*NAMES)
    published = await world.publish(*history)
    events = list(zip(history, published, strict=True))

    def under(name: str) -> list[Position]:
        return [
            position
            for group, position in events
            if name == group or (name == "d.*" and group.startswith("d."))
        ]

    for name in NAMES:
        if own := under(name):
            at[name] = data.draw(st.sampled_from([at[name], *own]))
    wanted = sorted(
        (p for name in NAMES for p in under(name) if p.seq > at[name].seq),
        key=lambda position: position.seq,
    )
    read: list[Position] = []
    found = await world.read(at)
    while True:
        assert not found.lost
        read += positions(found)
        if not found.more:
            break
        found = await world.read(dict(found.reached))
    # In parts, those of a name are in order, and those of all are each there once.
    assert sorted(read, key=lambda position: position.seq) == wanted
    for name in NAMES:
        own = under(name)
        assert [p for p in read if p in own] == [p for p in wanted if p in own]
        if own:
            assert found.reached[name] == own[-1]
