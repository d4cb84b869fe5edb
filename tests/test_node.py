from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import suppress

import pytest

from sse_components import node as module
from sse_components import wire
from sse_components.brokers.base import ONLINE, Report, Transition
from sse_components.brokers.memory import MemoryBroker, MemoryFeed, microseconds
from sse_components.errors import BrokerUnavailable
from sse_components.events import Position
from sse_components.hub import Hub
from sse_components.node import BEATS, DRAIN_GRACE_SECONDS, REPORTED, Node
from sse_components.revocations import Whose
from sse_components.subscriber import Subscriber
from sse_components.wire import Frame
from tests.transports import Recorder

LEASE = 60
"""Seconds: no beat of its own comes in the time of a test."""
SECONDS = 5


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_SECONDS", 0)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "SWEEP_SECONDS", (0.01, 0.02))


class Heard:
    """What is heard here, as a test has it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, name: str) -> int:
        return self.counts[name]

    def names(self) -> Iterable[str]:
        return self.counts.keys()


class Away(MemoryBroker):
    """May be away, or slow, or lose what it remembers; and notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.later = 0
        """Microseconds that its clock is ahead."""
        self.memory = self._new_memory()
        self.reports: list[Report] = []
        self.withdrawn: list[float | None] = []
        self.refused = 0
        """Calls that fail and do nothing."""
        self.unanswered = 0
        """Reports that are taken in, of which nobody is told."""
        self.door = asyncio.Event()
        self.door.set()

    def lose_memory(self) -> Position:
        """Begin anew, in another epoch; return the position."""
        self.memory = self._new_memory()
        return Position(self.memory._epoch, self.memory._seq)

    async def position(self) -> Position:
        self._refuse()
        return await self.memory.position()

    async def report(self, report: Report) -> list[Transition] | None:
        self.reports.append(report)
        await self.door.wait()
        await asyncio.sleep(0)
        self._refuse()
        told = await self.memory.report(report)
        await asyncio.sleep(0)
        if self.unanswered:
            self.unanswered -= 1
            raise BrokerUnavailable("The answer is lost")
        return told

    async def withdraw(self, node: str, grace_seconds: float | None = None) -> None:
        self.withdrawn.append(grace_seconds)
        self._refuse()
        await self.memory.withdraw(node, grace_seconds)

    async def sweep(self, limit: int = 1000) -> list[Transition]:
        self._refuse()
        return await self.memory.sweep(limit)

    def numbers(self, group: str = ONLINE) -> dict[str, int]:
        """Return what is known of a group's members."""
        found = self.memory.members(group).members
        return {one.user: one.connections for one in found}

    def _new_memory(self) -> MemoryBroker:
        return MemoryBroker(
            presence_lease_seconds=LEASE,
            presence_grace_seconds=LEASE,
            clock=lambda: microseconds() + self.later,
        )

    def _refuse(self) -> None:
        if self.refused:
            self.refused -= 1
            raise BrokerUnavailable("away")


class World:
    """A node that reports, and what becomes of that."""

    def __init__(self) -> None:
        self.broker = Away()
        self.heard = Heard()
        self.told: list[Transition] = []
        self.node = self.new_node()

    def new_node(self, lease: float = LEASE) -> Node:
        return Node(
            self.broker,
            lease,
            self.heard,
            lambda name: name.startswith("chat."),
            self.told.extend,
        )

    def come(self, user: str | None, *names: str) -> None:
        self.heard.counts.update(names)
        self.node.add(user, names, comes=True)

    def go(self, user: str | None, *names: str) -> None:
        self.heard.counts.subtract(names)
        self.node.remove(user, names, goes=True)

    @property
    def types(self) -> list[tuple[str, str]]:
        return [(one.type, one.user) for one in self.told]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                assert not self.reporting.done(), self.reporting.exception()
                await asyncio.sleep(0.001)

    async def settle(self) -> None:
        """Wait until nothing more is to be reported."""
        await self.until(lambda: not self.node._moved and not self.node._changed)
        async with self.node._reporting:
            pass

    async def events(self, begin: Position, *groups: str) -> list[tuple[str, bytes]]:
        page = await self.broker.memory.resume(begin, groups or (ONLINE,), 10_000)
        assert page.usable
        return [(event.type, event.payload) for event in page.events]

    async def __aenter__(self) -> World:
        self.reporting = asyncio.create_task(self.node.report())
        return self

    async def __aexit__(self, *error: object) -> None:
        self.reporting.cancel()
        with suppress(asyncio.CancelledError):
            await self.reporting


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


# A53
async def test_who_comes_and_goes_is_reported_by_numbers(world: World) -> None:
    world.come("7", "chat.a", "users")
    world.come("7", "chat.a")
    world.come("8")
    await world.settle()
    assert world.broker.numbers() == {"7": 2, "8": 1}
    assert world.broker.numbers("chat.a") == {"7": 2}
    assert sorted(world.types) == [
        ("presence.join", "7"),
        ("presence.online", "7"),
        ("presence.online", "8"),
    ]
    world.go("7", "chat.a", "users")
    await world.settle()
    assert world.broker.numbers() == {"7": 1, "8": 1}
    assert len(world.told) == 3


# A53
async def test_groups_of_a_connection_are_counted_without_it(world: World) -> None:
    world.come("7")
    world.node.add("7", ["chat.a", "chat.b"], comes=False)
    await world.settle()
    assert world.broker.numbers() == {"7": 1}
    assert world.broker.numbers("chat.b") == {"7": 1}
    world.node.remove("7", ["chat.a"], goes=False)
    await world.settle()
    assert world.broker.numbers() == {"7": 1}
    assert world.broker.numbers("chat.a") == {"7": 0}  # in grace
    assert world.broker.numbers("chat.b") == {"7": 1}


# A53
async def test_what_is_not_watched_and_nobodys_connections_are_no_presence(
    world: World,
) -> None:
    world.come("7", "news.a", "auth.user.7")
    world.come(None, "chat.a")
    await world.settle()
    assert world.broker.numbers("news.a") == {}
    assert world.broker.numbers("auth.user.7") == {}
    assert world.broker.numbers("chat.a") == {}
    assert world.broker.numbers() == {"7": 1}


# A53
async def test_who_hears_a_pattern_is_online_and_in_no_group_of_it(
    world: World,
) -> None:
    world.come("7", "chat.*", "chat.a")
    await world.settle()
    assert world.broker.numbers() == {"7": 1}
    assert world.broker.numbers("chat.a") == {"7": 1}
    world.broker.lose_memory()  # and when everything is reported once more
    world.come("8")
    await world.settle()
    assert world.broker.numbers() == {"7": 1, "8": 1}


# A53
async def test_how_many_hear_a_group_is_reported(world: World) -> None:
    subscribers = world.broker.memory.subscribers
    world.come("7", "news.a", "news.b")
    world.come(None, "news.a")
    await world.settle()
    assert subscribers(["news.a", "news.b", "news.c"]) == [2, 1, 0]
    world.go(None, "news.a")
    world.go("7", "news.a", "news.b")
    await world.settle()
    assert subscribers(["news.a", "news.b"]) == [0, 0]


# A53
@pytest.mark.parametrize("taken_in", [True, False])
async def test_a_report_without_an_answer_is_made_again_as_it_was(
    world: World, taken_in: bool
) -> None:
    if taken_in:
        world.broker.unanswered = 2
    else:
        world.come("6")
        await world.settle()  # which asks for the position
        world.broker.reports.clear()
        world.broker.refused = 2
    world.come("7", "chat.a")
    await world.until(lambda: len(world.broker.reports) == 1)
    world.come("7", "chat.a")
    world.come("8")
    await world.settle()
    first, second, third, *others = world.broker.reports
    assert first == second == third
    assert first.members == {(ONLINE, "7"): 1, ("chat.a", "7"): 1}
    assert [report.turn for report in others] == [first.turn + 1]
    assert others[0].after == first.turn
    assert world.broker.numbers("chat.a") == {"7": 2}
    assert world.broker.numbers().items() >= {"7": 2, "8": 1}.items()


# A53
async def test_what_moves_while_a_report_is_under_way_is_reported_next(
    world: World,
) -> None:
    world.come("7", "chat.a")
    world.come("8")
    world.come("9")
    world.broker.door.clear()
    await world.until(lambda: len(world.broker.reports) == 1)
    world.come("7", "chat.a")
    world.go("8")
    world.come("10")
    world.go("9")
    world.come("9")
    world.come("11")
    world.go("11")
    world.broker.door.set()
    await world.settle()
    moved = {(ONLINE, "7"): 2, ("chat.a", "7"): 2, (ONLINE, "8"): 0, (ONLINE, "10"): 1}
    assert world.broker.reports[1].members.items() >= moved.items()
    assert world.broker.numbers() == {"7": 2, "8": 0, "9": 1, "10": 1}
    assert world.broker.numbers("chat.a") == {"7": 2}
    assert world.broker.memory.subscribers(["chat.a"]) == [2]


# A53
@pytest.mark.parametrize("seed", range(10))
async def test_the_numbers_are_right_at_last_whatever_happens(
    world: World, seed: int
) -> None:
    chance = random.Random(seed)
    there: list[tuple[str, str]] = []
    for _ in range(300):
        what = chance.random()
        if what < 0.45:
            there.append((chance.choice("abcde"), chance.choice(["chat.a", "news.b"])))
            world.come(*there[-1])
        elif what < 0.8 and there:
            world.go(*there.pop(chance.randrange(len(there))))
        elif what < 0.85:
            world.broker.refused = chance.randrange(3)
        elif what < 0.9:
            world.broker.unanswered = chance.randrange(3)
        elif what < 0.92:
            world.broker.lose_memory()
        elif what < 0.94:
            world.broker.later += 3 * LEASE * 1_000_000
        else:
            await asyncio.sleep(chance.choice([0, 0, 0.005]))
    world.come("z")  # so that something is told once more
    await world.settle()
    wanted = Counter(user for user, _ in there) + Counter("z")
    assert Counter(world.broker.numbers()) == wanted
    in_chat = Counter(user for user, group in there if group == "chat.a")
    assert Counter(world.broker.numbers("chat.a")) == in_chat
    heard = [sum(g == group for _, g in there) for group in ("chat.a", "news.b")]
    assert world.broker.memory.subscribers(["chat.a", "news.b"]) == heard


# A53
async def test_many_numbers_go_in_several_reports(world: World) -> None:
    count = 2 * REPORTED + 1
    for number in range(count):
        world.come(str(number), f"news.{number}")
    await world.settle()
    assert len(world.broker.numbers()) == count
    names = [f"news.{number}" for number in range(count)]
    assert world.broker.memory.subscribers(names) == [1] * count
    sizes = [len(one.members) + len(one.subscribers) for one in world.broker.reports]
    assert max(sizes) == REPORTED
    assert len(sizes) == -(-2 * count // REPORTED)
    assert len(world.told) == count


# A53
async def test_a_node_whose_lease_was_lost_reports_everything_and_is_told_of(
    world: World,
) -> None:
    world.come("7", "chat.a", "news.b")
    world.come("8")
    await world.settle()
    world.broker.later += 10 * LEASE * 1_000_000
    await world.broker.memory.sweep()  # ends the leases
    world.broker.later += 10 * LEASE * 1_000_000
    went = await world.broker.memory.sweep()  # ends the graces
    assert len(went) == 3
    world.told.clear()

    world.come("8")
    await world.settle()
    assert world.broker.withdrawn == [None]
    assert not any(report.silent for report in world.broker.reports)
    assert world.broker.reports[-1].after == 0
    assert world.broker.numbers() == {"7": 1, "8": 2}
    assert world.broker.memory.subscribers(["chat.a", "news.b"]) == [1, 1]
    assert sorted(world.types) == [
        ("presence.join", "7"),
        ("presence.online", "7"),
        ("presence.online", "8"),
    ]


# A53
async def test_a_node_whose_lease_was_lost_for_a_moment_tells_nothing(
    world: World,
) -> None:
    world.come("7", "chat.a")
    await world.settle()
    world.told.clear()
    world.broker.later += (LEASE + 1) * 1_000_000
    world.come("7")
    await world.settle()
    assert world.broker.numbers() == {"7": 2}
    assert world.told == []


# A53
async def test_a_broker_that_has_forgotten_is_told_everything_silently(
    world: World,
) -> None:
    world.come("7", "chat.a", "news.b")
    world.come("8")
    await world.settle()
    world.told.clear()
    begin = world.broker.lose_memory()
    world.go("8")
    await world.settle()
    assert world.broker.reports[-1].silent
    assert world.broker.numbers() == {"7": 1}
    assert world.broker.numbers("chat.a") == {"7": 1}
    assert world.broker.memory.subscribers(["chat.a", "news.b"]) == [1, 1]
    assert world.told == []
    assert await world.events(begin, ONLINE, "chat.a") == []

    world.come("9")
    await world.settle()
    assert not world.broker.reports[-1].silent
    assert world.types == [("presence.online", "9")]
    assert await world.events(begin) == [
        ("presence.online", b'{"user":"9","last_seen":null}')
    ]


# A53
async def test_a_lease_that_is_lost_in_another_memory_is_told_of(
    world: World,
) -> None:
    world.come("7")
    await world.settle()
    world.broker.lose_memory()
    world.come("8")
    await world.settle()
    for _ in range(2):
        world.broker.later += 10 * LEASE * 1_000_000
        await world.broker.memory.sweep()
    assert world.broker.numbers() == {}
    world.told.clear()
    world.come("7")
    await world.settle()
    assert sorted(world.types) == [("presence.online", "7"), ("presence.online", "8")]


# A53
async def test_a_broker_that_has_forgotten_much_is_told_it_in_silent_parts(
    world: World,
) -> None:
    count = 2 * REPORTED
    for number in range(count):
        world.come(str(number))
    await world.settle()
    world.told.clear()
    world.broker.lose_memory()
    world.broker.unanswered = 2
    world.go("0")
    await world.settle()
    assert len(world.broker.numbers()) == count - 1
    assert world.told == []


# A53
async def test_a_broker_that_fails_while_everything_begins_anew_is_asked_again(
    world: World,
) -> None:
    world.come("7")
    await world.settle()
    world.told.clear()
    world.broker.lose_memory()
    world.come("8")
    world.broker.door.clear()
    await world.until(lambda: len(world.broker.reports) == 2)
    world.broker.door.set()
    await world.until(lambda: len(world.broker.withdrawn) == 1)
    world.broker.refused = 3
    await world.settle()
    assert world.broker.numbers() == {"7": 1, "8": 1}


# A53
async def test_nothing_is_reported_after_the_node_has_withdrawn(world: World) -> None:
    world.come("7")
    await world.settle()
    await world.node.withdraw()
    assert world.broker.withdrawn == [DRAIN_GRACE_SECONDS]
    world.go("7")
    world.come("8")
    async with asyncio.timeout(SECONDS):
        await world.reporting
    assert len(world.broker.reports) == 1
    assert world.broker.numbers() == {"7": 0}
    await world.node.withdraw()
    assert len(world.broker.withdrawn) == 1


# A53
async def test_a_node_withdraws_after_the_report_that_is_under_way(
    world: World,
) -> None:
    world.come("7")
    world.broker.door.clear()
    await world.until(lambda: len(world.broker.reports) == 1)
    withdrawing = asyncio.create_task(world.node.withdraw())
    await asyncio.sleep(0.01)
    assert world.broker.withdrawn == []
    world.broker.door.set()
    await withdrawing
    assert world.broker.numbers() == {"7": 0}


# A53
async def test_a_node_that_could_not_withdraw_reports_nothing_either(
    world: World,
) -> None:
    world.come("7")
    await world.settle()
    world.broker.refused = 1
    with pytest.raises(BrokerUnavailable):
        await world.node.withdraw()
    world.come("8")
    async with asyncio.timeout(SECONDS):
        await world.reporting
    assert len(world.broker.reports) == 1


# A53
async def test_a_node_with_nothing_new_to_report_shows_that_it_is_alive() -> None:
    world = World()
    world.node = world.new_node(lease=0.05 * BEATS)
    async with world:
        world.come("7", "chat.a")
        await world.until(lambda: len(world.broker.reports) >= 4)
        first, *others = world.broker.reports
        assert len(first.members) == 2
        assert not any(report.members or report.subscribers for report in others)
        assert [report.turn for report in world.broker.reports[:3]] == [1, 2, 3]
        assert [report.after for report in world.broker.reports[:3]] == [0, 1, 2]


# A53
async def test_who_is_swept_is_told_of_also_after_the_broker_was_away(
    world: World,
) -> None:
    world.come("7")
    await world.settle()
    world.told.clear()
    world.go("7")
    await world.settle()
    world.broker.refused = 2
    sweeping = asyncio.create_task(world.node.sweep())
    world.broker.later += 2 * LEASE * 1_000_000
    await world.until(lambda: bool(world.told))
    sweeping.cancel()
    assert world.types == [("presence.offline", "7")]


# How the hub counts.


class Counted:
    """A hub, and a user's connections."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.hub = Hub(self.broker, lease=LEASE, is_watched=lambda name: True)

    async def open(self, user: str | None, *names: str) -> Subscriber:
        whose = Whose(self.hub.position, user=user)
        return await self.hub.open(Recorder(), names, None, _greeting, whose)

    async def has(self, group: str, **wanted: int) -> None:
        """Wait until a group has these members; those in grace don't count."""
        async with asyncio.timeout(SECONDS):
            while True:
                if self.numbers(group) == wanted:
                    return
                await asyncio.sleep(0.001)

    def numbers(self, group: str) -> dict[str, int]:
        found = self.broker.members(group).members
        return {one.user: one.connections for one in found if one.connections}


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


@pytest.fixture
async def counted() -> AsyncIterator[Counted]:
    counted = Counted()
    await counted.hub.start()
    yield counted
    await counted.hub.close()


# A53
async def test_the_groups_of_a_websocket_that_come_and_go_balance(
    counted: Counted,
) -> None:
    names: Sequence[Collection[str]] = [["a", "b"], ["c", "d.*"]]
    one = await counted.open("u", *names[0])
    await counted.has("a", u=1)
    for _ in range(3):
        await counted.hub.subscribe(one, names[1], None, [])
        await counted.has("c", u=1)
        await counted.hub.unsubscribe(one, ["c", "d.*"], [])
        await counted.has("c")
    await counted.hub.unsubscribe(one, ["b", "unknown"], [])
    await counted.hub.subscribe(one, ["c"], None, [])
    other = await counted.open("u", "a", "b")
    await counted.has("c", u=1)
    await counted.has("b", u=1)
    await counted.has("a", u=2)
    await counted.has(ONLINE, u=2)
    await counted.hub.leave(one)
    await counted.has("c")
    await counted.has("a", u=1)
    await counted.hub.leave(other)
    for group in ("a", "b", "c", ONLINE):
        await counted.has(group)
    assert not counted.hub._node._members
    assert counted.broker.subscribers(["a", "b", "c"]) == [0, 0, 0]


# A53
async def test_a_connection_that_leaves_twice_is_counted_once(
    counted: Counted,
) -> None:
    one = await counted.open("u", "a")
    await counted.open("u", "a")
    await counted.has("a", u=2)
    await counted.hub.leave(one)
    await counted.hub.leave(one)
    await counted.has("a", u=1)
    await counted.has(ONLINE, u=1)
    assert counted.hub._node._members == {("a", "u"): 1, (ONLINE, "u"): 1}


# A53
async def test_a_stream_that_is_cut_while_it_opens_is_not_counted(
    counted: Counted,
) -> None:
    transport = Recorder()
    transport.door.clear()
    whose = Whose(counted.hub.position, user="u")
    opening = asyncio.create_task(
        counted.hub.open(transport, ["a"], None, _greeting, whose)
    )
    await counted.has("a", u=1)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await counted.has("a")
    assert not counted.hub._node._members


# A53
async def test_groups_that_a_websocket_waits_for_when_it_is_cut_are_not_counted(
    counted: Counted,
) -> None:
    one = await counted.open("u", "a")
    transport: Recorder = one.transport  # type: ignore[assignment]
    transport.door.clear()
    asking = asyncio.create_task(counted.hub.subscribe(one, ["b"], None, []))
    await asyncio.sleep(0.01)
    await counted.hub.leave(one)
    await asking
    assert not counted.hub._node._members


# A53
async def test_groups_that_a_websocket_could_not_be_given_are_not_counted(
    counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def subscribe(*args: object) -> Position:
        raise BrokerUnavailable("away")

    one = await counted.open("u", "a")
    monkeypatch.setattr(MemoryFeed, "subscribe", subscribe)
    await counted.hub.subscribe(one, ["b"], None, [])
    assert counted.hub._node._members == {("a", "u"): 1, (ONLINE, "u"): 1}
    await counted.hub.leave(one)
    assert not counted.hub._node._members
