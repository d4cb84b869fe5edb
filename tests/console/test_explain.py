"""Why somebody got an event or not, of a broker in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from sse_components import runtime
from sse_components.brokers.memory import MemoryBroker
from sse_components.console import past, why
from sse_components.console.why import explain
from sse_components.events import Draft, Position
from sse_components.logbook.names import process_log
from sse_components.logbook.statements import Connection, Deliveries, Process, Progress
from sse_components.waiting import wait_for

OPEN = Connection(
    connection="c1",
    process="p1",
    transport="sse",
    user="7",
    when=time.time(),
    opened=time.time(),
    groups=["news"],
    denied=[],
    since=1,
    since_of={},
    handed=0,
)
ALIVE = Process(
    process="p1",
    name="web-1:7",
    started=0,
    connections={"sse": 1},
    users=1,
    groups=1,
    pending=0,
    behind=0,
    events=0,
    deliveries=0,
    newest=[],
    untold=0,
)


class World:
    def __init__(self, **limits: Any) -> None:
        self.broker = MemoryBroker(**limits)

    def publish(self, group: str = "news") -> str:
        (done,) = self.broker.publish([Draft(group, "test", b"1")])
        return str(done.position)

    def say(self, *connections: Connection, alive: Process | None = ALIVE) -> None:
        drafts = [one.in_its_log() for one in connections]
        self.broker.publish(drafts + ([alive.for_all()] if alive else []))

    def step(self, id: str, behind: dict[str, int] | None = None) -> None:
        """Say that the process has all up to an event."""
        said = Progress("p1", time.time(), id, behind or {})
        self.broker.publish([said.in_its_log()])


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with runtime.publishing_to(world.broker):
        yield world


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let enough time pass for what isn't said to count."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + why.YOUNG + 1)
    return now


def test_an_event_of_another_memory_is_unknown(world: World) -> None:
    answer = explain("0123abcd:17", "7")
    assert answer.outcome == "unknown"
    assert "has lost its memory" in answer.headline
    assert answer.event is None


def test_an_event_that_is_still_to_come_is_unknown(world: World) -> None:
    position = wait_for(world.broker.position)
    answer = explain(str(replace(position, seq=position.seq + 10**12)), "7")
    assert answer.outcome == "unknown"
    assert "no such event yet" in answer.headline


def test_an_event_is_found_in_the_groups_of_the_user(world: World) -> None:
    id = world.publish()
    world.say(replace(OPEN, when=time.time(), opened=time.time()))
    world.step(id)
    answer = explain(id, "7")
    assert answer.outcome == "delivered"
    assert answer.event
    assert answer.event["group"] == "news"


def test_an_event_of_another_group_is_found_if_that_is_named(
    world: World, later: float
) -> None:
    id = world.publish("sport")
    world.say(OPEN)
    assert "name that" in explain(id, "7").headline
    answer = explain(id, "7", "sport")
    assert answer.outcome == "not_subscribed"
    missing = explain(id, "7", "news")
    assert missing.outcome == "unknown"
    assert "no such event of news" in missing.headline


def test_what_is_not_said_yet_is_no_absence(world: World) -> None:
    id = world.publish()
    assert explain(id, "7", "news").headline == why.NOT_YET
    world.say(replace(OPEN, groups=["sport"], opened=time.time(), when=time.time()))
    assert explain(id, "7", "news").headline == why.NOT_YET


def test_after_a_while_it_is_one(world: World, later: float) -> None:
    id = world.publish()
    assert explain(id, "7", "news").outcome == "not_connected"


def test_where_a_process_has_more_to_say_nothing_is_absent(
    world: World, later: float
) -> None:
    id = world.publish()
    world.say(alive=replace(ALIVE, untold=1))
    assert explain(id, "7", "news").headline == why.NOT_YET


def test_before_where_the_log_reaches_nothing_is_absent(
    settings: Settings, later: float
) -> None:
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | {"HISTORY_SIZE": 3}
    world = World(history_size=3)
    with runtime.publishing_to(world.broker):
        id = world.publish()
        closed = [
            replace(OPEN, connection=name, ended="gone", closed=1.0)
            for name in ("c1", "c2", "c3")
        ]
        world.say(*closed[:2])
        assert explain(id, "7", "news").outcome == "not_connected"
        world.say(*closed)
        answer = explain(id, "7", "news")
    assert answer.outcome == "unknown"
    assert "reaches back to" in answer.headline


def test_a_trace_takes_no_room_in_the_log(world: World) -> None:
    world.say(OPEN)
    said = Deliveries("c1", "p1", [[1.5, "e:1", "test", "news", 9]])
    world.broker.publish([said.draft("console.trace.7")] * 1500)
    (found,) = past.connections_of("7")
    assert found.deliveries[0].at == 1.5
    assert found.is_open


def test_a_connection_of_a_process_that_is_silent_is_not_open(world: World) -> None:
    world.say(OPEN, alive=None)
    (found,) = past.connections_of("7")
    assert not found.is_open


def test_what_was_late_to_be_said_is_in_its_place(world: World) -> None:
    newer = replace(OPEN, when=OPEN.when + 5, groups=["sport"])
    world.say(newer, OPEN)
    (found,) = past.connections_of("7")
    assert [one.groups for one in found.told] == [["news"], ["sport"]]
    assert found.now.groups == ["sport"]


@pytest.mark.parametrize("held_back", [{"untold": 1}, {"more_behind": 1}])
def test_a_step_that_may_lack_something_is_not_certain(
    world: World, held_back: dict[str, Any]
) -> None:
    said = Progress("p1", 5.0, "e:7", {"c1": 3})
    world.broker.publish([said.in_its_log(), replace(said, **held_back).in_its_log()])
    certain, partial = wait_for(past.steps, world.broker, "p1")
    assert certain.is_certain
    assert not partial.is_certain
    assert certain.at == Position("e", 7)
    assert (certain.reached("c1"), certain.reached("c2")) == (3, 7)
    assert process_log("p1") == "console.process.p1"


def test_where_a_proxy_holds_streams_it_says_so(
    world: World, settings: Settings, later: float
) -> None:
    grip = {"GRIP_URL": "http://127.0.0.1:1", "GRIP_KEY": "k" * 32}
    id = world.publish()
    assert explain(id, "7", "news").notes == []
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | grip
    with runtime.publishing_to(world.broker):
        (note,) = explain(id, "7", "news").notes
    assert "a proxy holds" in note
