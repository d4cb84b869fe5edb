"""Over how long those fetch who are told of the same at the same moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sse_components.events import Draft, Position
from sse_components.ring import MAX_FRAMES
from sse_components.spread import (
    FETCHES_PER_SECOND,
    LEAST_SPREAD_OF_ALL,
    SPREAD_STEP,
    spread_for,
    spread_of_all_for,
)
from sse_components.wire import Frame
from tests.test_hub import World
from tests.transports import Recorder

MANY = FETCHES_PER_SECOND * SPREAD_STEP // 1000
ALIEN = Position("other", 1)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.hub.start()
    yield world
    await world.hub.close()


async def opened(world: World, count: int, *names: str) -> list[Recorder]:
    return [(await world.open(*names))[0] for _ in range(count)]


async def told(world: World, group: str, type: str = "component.created") -> Position:
    """Publish an event, and have it heard."""
    [published] = world.broker.publish([Draft(group, type, b"{}")])
    await world.settle()
    return published.position


def event(transport: Recorder) -> dict[str, Any]:
    """Return the last event that was written."""
    return next(event for event in reversed(transport.events) if "group" in event)


def frame(transport: Recorder) -> Frame:
    return next(frame for frame in reversed(transport.written) if frame.group)


def reset(transport: Recorder) -> dict[str, Any]:
    return next(one for one in transport.events if one["type"] == "stream-reset")


@pytest.mark.parametrize(
    ("connections", "of_one", "of_all"),
    [
        (0, 0, 0),
        (MANY - 1, 0, 0),
        (MANY, 250, 5000),
        (2 * MANY - 1, 250, 5000),
        (2 * MANY, 500, 5000),
        (1000, 10_000, 10_000),
        (10_000, 30_000, 30_000),
    ],
)
def test_it_takes_as_long_as_a_process_needs_for_so_many(
    connections: int, of_one: int, of_all: int
) -> None:
    assert spread_for(connections) == of_one
    assert spread_of_all_for(connections) == of_all


# Events.


async def test_what_few_are_told_has_none(world: World) -> None:
    transports = await opened(world, MANY - 1, "a")
    await told(world, "a")
    assert all("spread" not in event(transport) for transport in transports)


async def test_what_many_are_told_has_one_at_the_end_and_is_the_same_for_all(
    world: World,
) -> None:
    transports = await opened(world, MANY, "a")
    await told(world, "a")
    assert len({id(frame(transport)) for transport in transports}) == 1
    assert list(event(transports[0]).items())[-1] == ("spread", SPREAD_STEP)


async def test_more_are_given_more_time(world: World) -> None:
    transports = await opened(world, 4 * MANY, "a")
    await told(world, "a")
    assert event(transports[-1])["spread"] == 4 * SPREAD_STEP


@pytest.mark.parametrize(
    ("type", "fetches"),
    [
        ("component.data_changed", True),
        ("component.created", True),
        ("component.removed", True),
        ("notify", True),
        ("presence.join", True),
        ("presence.count", True),
        ("stock", False),
        ("notify-me", False),
    ],
)
async def test_only_what_may_be_fetched_for_has_one(
    world: World, type: str, fetches: bool
) -> None:
    transports = await opened(world, MANY, "a")
    await told(world, "a", type)
    assert ("spread" in event(transports[0])) is fetches


async def test_who_hears_other_groups_does_not_count(world: World) -> None:
    await opened(world, MANY, "b")
    transports = await opened(world, MANY - 1, "a")
    await told(world, "a")
    assert "spread" not in event(transports[0])


async def test_who_has_left_does_not_count(world: World) -> None:
    transports = await opened(world, MANY - 1, "a")
    _, subscriber = await world.open("a")
    await world.hub.leave(subscriber)
    await told(world, "a")
    assert "spread" not in event(transports[0])


async def test_who_hears_it_by_the_pattern_counts(world: World) -> None:
    transports = await opened(world, MANY - 1, "a.1") + await opened(world, 1, "a.*")
    await told(world, "a.1")
    assert [event(one)["spread"] for one in transports] == [SPREAD_STEP] * MANY


async def test_who_hears_it_both_ways_counts_once(world: World) -> None:
    transports = await opened(world, MANY - 1, "a.1", "a.*")
    await told(world, "a.1")
    assert "spread" not in event(transports[0])


# What was missed.


async def test_who_come_back_together_are_spread_though_nobody_was_there(
    world: World,
) -> None:
    _, subscriber = await world.open("a")
    cursor = await told(world, "a")
    await told(world, "a")
    await world.hub.leave(subscriber)
    world.broker.resumed.clear()
    back = [(await world.open("a", cursor=cursor))[0] for _ in range(MANY + 1)]
    assert world.broker.resumed == []
    assert "spread" not in event(back[MANY - 2])
    assert event(back[-1])["spread"] == SPREAD_STEP
    assert frame(back[-1]) is frame(back[-2])


async def test_who_comes_back_alone_is_not_kept_waiting(world: World) -> None:
    await opened(world, MANY, "a", "b")
    _, subscriber = await world.open("a", "mine")
    cursor = world.hub.position
    await told(world, "a")
    await told(world, "mine")
    await world.hub.leave(subscriber)
    transport, _ = await world.open("a", "mine", cursor=cursor)
    missed = [one for one in transport.events if "group" in one]
    assert [one.get("spread") for one in missed] == [SPREAD_STEP, None]


async def test_what_was_published_to_many_is_fetched_at_once_by_few(
    world: World,
) -> None:
    cursor = world.hub.position
    everybody = [await world.open("a") for _ in range(MANY)]
    await told(world, "a")
    for _, subscriber in everybody:
        await world.hub.leave(subscriber)
    transport, _ = await world.open("a", cursor=cursor)
    assert "spread" not in event(transport)


async def test_what_the_broker_has_to_be_asked_for_has_one_too(world: World) -> None:
    cursor = await told(world, "a")
    await told(world, "a")
    await opened(world, MANY - 1, "a")
    world.broker.resumed.clear()
    transport, _ = await world.open("a", cursor=cursor)
    assert world.broker.resumed == [cursor]
    assert event(transport)["spread"] == SPREAD_STEP


async def test_who_was_too_slow_is_spread_with_the_others(world: World) -> None:
    transports = await opened(world, MANY, "a")
    slow, subscriber = await world.open("a")
    subscriber.overflow()
    await told(world, "a")
    world.hub.lag()
    world.hub.flush()
    await slow.until(lambda: "component.created" in slow.types)
    assert frame(slow) is frame(transports[0])


# Resets.


async def test_a_reset_of_all_groups_gives_many_seconds(world: World) -> None:
    await world.open("a", cursor=ALIEN)
    back = [(await world.open("a", cursor=ALIEN))[0] for _ in range(MANY)]
    assert "spread" not in reset(back[0])
    assert list(reset(back[-1]).items())[-1] == ("spread", LEAST_SPREAD_OF_ALL)


async def test_a_reset_of_one_group_gives_those_of_it_their_time() -> None:
    world = World(history_size=1)
    await world.hub.start()
    cursor = world.hub.position
    await opened(world, MANY, "a")
    world.broker.put("a", MAX_FRAMES + 2)
    world.broker.put("b", 2)
    await world.settle()
    transport, _ = await world.open("a", "c", cursor=cursor)
    assert reset(transport)["groups"] == ["a"]
    assert reset(transport)["spread"] == SPREAD_STEP
    transport, _ = await world.open("b", "c", cursor=cursor)
    assert reset(transport)["groups"] == ["b"]
    assert "spread" not in reset(transport)
    await world.hub.close()


@pytest.mark.parametrize("count", [1, MANY, 8 * MANY])
async def test_a_new_memory_of_the_broker_resets_many_over_seconds(
    world: World, count: int
) -> None:
    transports = await opened(world, count, "a")
    world.hub._hearing._begin(Position("another", world.hub.position.seq + 1))
    world.hub.flush()
    found = {reset(transport).get("spread") for transport in transports}
    assert found == {None if count == 1 else LEAST_SPREAD_OF_ALL}


async def test_of_many_who_lose_a_group_those_who_lose_all_get_longer(
    world: World,
) -> None:
    only = await opened(world, 1, "a")
    both = await opened(world, MANY - 1, "a", "b")
    group = world.hub._hearing._groups["a"]
    here = world.hub.position
    present = Position(here.epoch, here.seq + 10**9)
    world.hub.reset({group: present.seq}, present)
    world.hub.flush()
    assert reset(only[0])["spread"] == LEAST_SPREAD_OF_ALL
    assert {reset(transport)["spread"] for transport in both} == {SPREAD_STEP}


async def test_what_is_owed_to_many_is_fetched_over_time(world: World) -> None:
    transports = await opened(world, MANY, "a", "b")
    group = world.hub._hearing._groups["a"]
    world.hub.reset_past(group, 0)
    world.hub.flush()
    await world.settle()
    assert {reset(transport)["spread"] for transport in transports} == {SPREAD_STEP}
