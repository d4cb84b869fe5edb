"""One test for every sentence on presence in `brokers/base.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sse_components import wire
from sse_components.brokers.base import (
    COUNT_SECONDS,
    COUNTS_AT_ONCE,
    GRACE_SECONDS,
    LARGE_GROUP,
    LEASE_SECONDS,
    MAX_USER,
    ONLINE,
    Audience,
    Broker,
    Delivery,
    Member,
    Report,
    Status,
    Transition,
)
from sse_components.errors import InvalidGroup
from sse_components.events import Event, Position
from tests.brokers.conftest import NOW, Harness, Node, ear, present, publish

MONTH = 30 * 86_400
HOSTILE = [
    '"',
    "\\",
    '\\"\\',
    "a/b",
    "</script>",
    "Grüße 日本 🎉",
    "\x01\x1f\x7f\r\t\b\f\x0b\x85\u2028",
    "%s %d%% %Z",
    "7 8",
    "",
    "ü" * 200,
    "x" * MAX_USER,
]


@pytest.fixture
async def start(broker: Broker) -> AsyncIterator[Position]:
    """Where the broker was before the test."""
    yield await broker.position()


async def events(broker: Broker, start: Position, *groups: str) -> list[Event]:
    """Return what was published after a position."""
    page = await broker.resume(start, groups, 10_000)
    assert not page.lost
    assert not page.more
    return list(page.events)


async def told(broker: Broker, start: Position, *groups: str) -> list[tuple[str, str]]:
    """Return the types and payloads of what was published after a position."""
    found = await events(broker, start, *groups)
    return [(event.type, event.payload.decode()) for event in found]


def went(transitions: list[Transition]) -> list[tuple[str, str]]:
    """Return the groups and users of transitions."""
    return [(one.group, one.user) for one in transitions]


def counts(*members: int) -> list[tuple[str, str]]:
    return [("presence.count", f'{{"members":{n}}}') for n in members]


# Coming.


async def test_a_user_joins_a_group_with_the_first_connection(
    broker: Broker, start: Position
) -> None:
    transitions = await Node(broker).report({("chat.7", "u"): 1})
    (event,) = await events(broker, start, "chat.7")
    assert transitions == [
        Transition(event.position, "presence.join", "chat.7", "u", None)
    ]
    assert event.position.seq > start.seq
    assert (event.type, event.payload) == ("presence.join", b'{"user":"u"}')
    assert event.sender is None


async def test_a_user_is_online_with_the_first_connection(
    broker: Broker, start: Position
) -> None:
    transitions = await Node(broker).report({(ONLINE, "7"): 1})
    (event,) = await events(broker, start, ONLINE)
    assert transitions == [
        Transition(event.position, "presence.online", ONLINE, "7", None)
    ]
    assert event.type == "presence.online"
    assert event.payload == b'{"user":"7","last_seen":null}'


async def test_more_connections_of_one_or_another_node_tell_nothing(
    broker: Broker, start: Position
) -> None:
    one, other = Node(broker, "one"), Node(broker, "other")
    await one.report({("a", "u"): 1})
    assert await one.report({("a", "u"): 3}) == []
    assert await other.report({("a", "u"): 2}) == []
    assert await present(broker, "a") == {"u": 5}
    assert await one.report({("a", "u"): 0}) == []
    assert await present(broker, "a") == {"u": 2}
    assert len(await events(broker, start, "a")) == 1


async def test_who_is_reported_silently_is_there_and_nobody_is_told(
    broker: Broker, start: Position
) -> None:
    node = Node(broker)
    members = {(ONLINE, "u"): 1, ("a", "u"): 1}
    assert await node.report(members, silent=True) == []
    assert await present(broker, "a") == await present(broker, ONLINE) == {"u": 1}
    assert not await events(broker, start, ONLINE, "a")


async def test_a_number_of_0_of_who_was_never_there_is_nothing(
    broker: Broker, start: Position
) -> None:
    assert await Node(broker).report({("a", "u"): 0}, {"a": 0}) == []
    assert await present(broker, "a") == {}
    assert not await broker.sweep()
    assert not await events(broker, start, "a")


# A61
async def test_its_events_are_heard_and_resumed_as_any_others(
    broker: Broker,
) -> None:
    heard = await ear(broker, "chat.*", "chat.7")
    before = await publish(broker, "chat.7")
    transitions = await Node(broker).report({("chat.7", "u"): 1, ("chat.8", "u"): 1})
    after = await publish(broker, "chat.7")
    assert transitions
    positions = [*before, *(one.position for one in transitions), *after]
    found = await events(broker, before[0], "chat.*")
    assert [event.position for event in found] == positions[1:]
    heard_of = [a for a in await heard.take(7) if isinstance(a, Delivery)]
    by_pattern = [a for a in heard_of if a.name == "chat.*"]
    assert [a.event.position for a in by_pattern] == positions
    assert [a.previous for a in by_pattern[1:]] == [p.seq for p in positions[:-1]]
    assert [a.event for a in by_pattern[1:]] == found


async def test_who_waits_is_told_of_who_comes_and_goes(broker: Broker) -> None:
    heard = await ear(broker, "a")

    async def hears(type: str) -> bool:
        announcement = await heard.next()
        return isinstance(announcement, Delivery) and announcement.event.type == type

    joined = asyncio.create_task(hears("presence.join"))
    await asyncio.sleep(0)
    await Node(broker).report({("a", "u"): 1})
    assert await joined
    left = asyncio.create_task(hears("presence.leave"))
    await asyncio.sleep(0)
    await broker.withdraw("node", 0)
    await broker.sweep()
    assert await left


async def test_hostile_users_are_written_as_any_json(
    broker: Broker, start: Position
) -> None:
    members = {(group, user): 1 for user in HOSTILE for group in ("a", ONLINE)}
    await Node(broker).report(members)
    assert set(await present(broker, "a")) == set(HOSTILE)
    payloads = [event.payload for event in await events(broker, start, "a")]
    assert payloads == [wire.dumps({"user": user}) for user in HOSTILE]
    payloads = [event.payload for event in await events(broker, start, ONLINE)]
    assert payloads == [wire.dumps({"user": u, "last_seen": None}) for u in HOSTILE]
    await broker.withdraw("node", 0)
    transitions = await broker.sweep()
    assert {one.user for one in transitions} == set(HOSTILE)
    assert {s.user for s in (await broker.astatuses(HOSTILE)).statuses if s.last_seen}


async def test_thousands_are_reported_at_once(broker: Broker, start: Position) -> None:
    groups = [f"g.{n % 10}" for n in range(5000)]
    members = {(group, f"u{n}"): 1 for n, group in enumerate(groups)}
    transitions = await Node(broker).report(members, {f"g.{n}": 500 for n in range(10)})
    assert transitions is not None
    assert went(transitions) == list(members)
    assert len(await events(broker, start, "g.3")) == 500
    assert await broker.asubscribers(["g.3"]) == [500]
    await broker.withdraw("node", 0)
    assert await present(broker, "g.3") == {f"u{n}": 0 for n in range(3, 5000, 10)}
    gone = [one for _ in range(5) for one in await broker.sweep()]
    assert {(one.group, one.user) for one in gone} == set(members)
    assert not await broker.sweep()


# Going.


async def test_who_has_no_connection_leaves_after_the_grace_and_once(
    harness: Harness, broker: Broker, start: Position
) -> None:
    node = Node(broker)
    await node.report({("a", "u"): 1, (ONLINE, "u"): 1})
    harness.advance(5)
    await node.report({("a", "u"): 0, (ONLINE, "u"): 0})
    harness.advance(GRACE_SECONDS - 1)
    assert await broker.sweep() == []
    assert await present(broker, "a") == {"u": 0}
    harness.advance(1)
    transitions = await broker.sweep()
    assert await present(broker, "a") == await present(broker, ONLINE) == {}
    assert await broker.sweep() == []
    _, leave = await events(broker, start, "a")
    _, offline = await events(broker, start, ONLINE)
    seen = NOW + 5_000_000
    assert transitions == [
        Transition(leave.position, "presence.leave", "a", "u", None),
        Transition(offline.position, "presence.offline", ONLINE, "u", seen),
    ]
    assert (leave.type, leave.payload) == ("presence.leave", b'{"user":"u"}')
    when = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=seen)).isoformat(
        timespec="microseconds"
    )
    assert offline.type == "presence.offline"
    assert offline.payload == wire.dumps({"user": "u", "last_seen": f"{when[:-6]}Z"})


async def test_who_comes_back_within_the_grace_was_never_away(
    harness: Harness, broker: Broker, start: Position
) -> None:
    one, other = Node(broker, "one"), Node(broker, "other")
    await one.report({("a", "u"): 1, (ONLINE, "u"): 1})
    await one.report({("a", "u"): 0, (ONLINE, "u"): 0})
    harness.advance(GRACE_SECONDS - 1)
    assert await other.report({("a", "u"): 1, (ONLINE, "u"): 1}) == []
    harness.advance(GRACE_SECONDS)
    await other.report()
    assert await broker.sweep() == []
    assert (await broker.amembers("a")).members == [Member("u", 1, NOW)]
    assert len(await events(broker, start, "a", ONLINE)) == 2


async def test_the_grace_begins_anew_with_every_last_connection(
    harness: Harness, broker: Broker
) -> None:
    node = Node(broker)
    for number in (1, 0, 1):
        await node.report({("a", "u"): number})
        harness.advance(GRACE_SECONDS - 1)
    await node.report({("a", "u"): 0})
    harness.advance(GRACE_SECONDS - 1)
    assert await broker.sweep() == []
    harness.advance(1)
    assert went(await broker.sweep()) == [("a", "u")]


async def test_who_comes_after_the_grace_joins_again(
    harness: Harness, broker: Broker, start: Position
) -> None:
    node = Node(broker)
    for _ in range(2):
        await node.report({("a", "u"): 1})
        await node.report({("a", "u"): 0})
        harness.advance(GRACE_SECONDS)
        assert went(await broker.sweep()) == [("a", "u")]
    types = [type for type, _ in await told(broker, start, "a")]
    assert types == ["presence.join", "presence.leave"] * 2


async def test_each_who_went_is_returned_once_however_many_sweep(
    broker: Broker, start: Position
) -> None:
    members = {("a", f"u{n}"): 1 for n in range(300)}
    await Node(broker).report(members)
    await broker.withdraw("node", 0)
    sweeps = [lambda: asyncio.run(broker.sweep(7)) for _ in range(80)]
    with ThreadPoolExecutor(8) as threads:
        found = [threads.submit(sweep) for sweep in sweeps]
        transitions = [
            one for each in found for one in await asyncio.to_thread(each.result)
        ]
    assert sorted(one.user for one in transitions) == sorted(u for _, u in members)
    leaves = [e for e in await events(broker, start, "a") if e.type != "presence.join"]
    assert {event.position for event in leaves} == {t.position for t in transitions}
    assert len(leaves) == 300


async def test_a_sweep_handles_no_more_than_its_limit(
    harness: Harness, broker: Broker
) -> None:
    for name in ("one", "other"):
        members = {("a", f"{name} {n}"): 1 for n in range(20)}
        await Node(broker, name).report(members)
    harness.advance(LEASE_SECONDS)
    for about in (10, 20, 30):
        assert await broker.sweep(10) == []
        gone = list((await present(broker, "a")).values()).count(0)
        assert about <= gone < about + 10
    for _ in range(2):
        assert await broker.sweep(10) == []
    harness.advance(GRACE_SECONDS)
    assert [len(await broker.sweep(10)) for _ in range(5)] == [10, 10, 10, 10, 0]


# Nodes.


async def test_a_report_may_be_made_again(broker: Broker, start: Position) -> None:
    report = Report("node", 1, 0, {("a", "u"): 1}, {"a": 1})
    assert len(await broker.report(report) or ()) == 1
    assert await broker.report(report) == []
    assert await present(broker, "a") == {"u": 1}
    assert await broker.asubscribers(["a"]) == [1]
    assert len(await events(broker, start, "a")) == 1


async def test_a_turn_that_was_taken_in_changes_nothing_but_renews_the_lease(
    harness: Harness, broker: Broker
) -> None:
    node = Node(broker)
    await node.report({("a", "u"): 1})
    await node.report({("a", "u"): 2})
    harness.advance(LEASE_SECONDS - 1)
    assert await broker.report(Report("node", 1, 0, {("a", "v"): 1}, {"a": 9})) == []
    assert await broker.report(Report("node", 2, 9, {("a", "v"): 1}, {"a": 9})) == []
    harness.advance(LEASE_SECONDS - 1)
    assert await broker.sweep() == []
    assert await present(broker, "a") == {"u": 2}
    assert await broker.asubscribers(["a"]) == [0]


@pytest.mark.parametrize(("turn", "after"), [(3, 2), (3, 0), (1, 1)])
async def test_a_report_that_does_not_follow_the_last_one_is_not_taken_in(
    broker: Broker, turn: int, after: int
) -> None:
    name = "node" if turn > 1 else "another"
    await Node(broker).report({("a", "u"): 1})
    assert await broker.report(Report(name, turn, after, {("a", "v"): 1}, {})) is None
    assert await present(broker, "a") == {"u": 1}


async def test_a_node_may_begin_with_any_turn(broker: Broker) -> None:
    assert await broker.report(Report("node", 7, 0, {("a", "u"): 1}, {}))
    assert await broker.report(Report("node", 9, 7, {("a", "v"): 1}, {}))


async def test_a_report_renews_the_lease_even_if_nothing_changed(
    harness: Harness, broker: Broker
) -> None:
    node = Node(broker)
    await node.report({("a", "u"): 1})
    for _ in range(5):
        harness.advance(LEASE_SECONDS - 1)
        assert await broker.sweep() == []
        assert await node.report() == []
    assert await present(broker, "a") == {"u": 1}


async def test_a_node_that_dies_is_withdrawn_and_its_users_leave_after_the_grace(
    harness: Harness, broker: Broker, start: Position
) -> None:
    dead, alive = Node(broker, "dead"), Node(broker, "alive")
    await dead.report({(ONLINE, "u"): 1, ("a", "v"): 1}, {"a": 2})
    await alive.report({("a", "v"): 1})
    harness.advance(4)
    await dead.report()
    await alive.report()
    for _ in range(2):
        harness.advance(LEASE_SECONDS - 1)
        await alive.report()
    assert await broker.sweep() == []
    assert await broker.asubscribers(["a"]) == [0]
    assert await present(broker, "a") == {"v": 1}
    harness.advance(GRACE_SECONDS)
    (transition,) = await broker.sweep()
    assert transition.last_seen == NOW + 4_000_000
    (status,) = (await broker.astatuses(["u"])).statuses
    assert status == Status("u", 0, None, NOW + 4_000_000)
    assert [e.type for e in await events(broker, start, ONLINE)] == [
        "presence.online",
        "presence.offline",
    ]


@pytest.mark.parametrize("swept", [True, False])
async def test_a_late_report_of_a_dead_node_is_refused(
    harness: Harness, broker: Broker, swept: bool
) -> None:
    node = Node(broker)
    await node.report({("a", "u"): 1})
    harness.advance(LEASE_SECONDS)
    if swept:
        await broker.sweep()
    assert await node.report({("a", "v"): 1}) is None
    assert "v" not in await present(broker, "a")
    await broker.sweep()
    harness.advance(GRACE_SECONDS)
    assert went(await broker.sweep()) == [("a", "u")]


async def test_a_dead_node_that_is_not_swept_can_not_begin_anew(
    harness: Harness, broker: Broker
) -> None:
    await Node(broker).report({("a", "u"): 1})
    harness.advance(LEASE_SECONDS)
    assert await Node(broker).report({("a", "v"): 1}) is None
    assert await present(broker, "a") == {"u": 1}


async def test_a_refused_node_withdraws_and_begins_with_all_it_has(
    harness: Harness, broker: Broker, start: Position
) -> None:
    node = Node(broker)
    await node.report({("a", "u"): 1, ("a", "v"): 1})
    harness.advance(LEASE_SECONDS)
    assert await node.report() is None
    await broker.withdraw("node")
    node.turn = 0
    assert await node.report({("a", "u"): 1, ("a", "v"): 1}, silent=True) == []
    harness.advance(GRACE_SECONDS)
    assert await broker.sweep() == []
    assert await present(broker, "a") == {"u": 1, "v": 1}
    assert len(await events(broker, start, "a")) == 2


async def test_the_lease_and_the_grace_are_as_long_as_the_broker_was_told(
    harness: Harness,
) -> None:
    broker = harness.broker(presence_lease_seconds=100, presence_grace_seconds=50)
    await Node(broker).report({("a", "u"): 1})
    harness.advance(99)
    await broker.sweep()
    assert await present(broker, "a") == {"u": 1}
    harness.advance(1)
    await broker.sweep()
    assert await present(broker, "a") == {"u": 0}
    harness.advance(49)
    assert await broker.sweep() == []
    harness.advance(1)
    assert went(await broker.sweep()) == [("a", "u")]


async def test_withdrawing_forgets_all_that_a_node_has_reported(
    harness: Harness, broker: Broker
) -> None:
    one, other = Node(broker, "one"), Node(broker, "other")
    await one.report({("a", "u"): 2, ("a", "v"): 1}, {"a": 3, "b": 1})
    await other.report({("a", "v"): 1}, {"a": 1})
    await broker.withdraw("one")
    assert await present(broker, "a") == {"u": 0, "v": 1}
    assert await broker.asubscribers(["a", "b"]) == [1, 0]
    assert await one.report() is None
    harness.advance(GRACE_SECONDS)
    assert went(await broker.sweep()) == [("a", "u")]


@pytest.mark.parametrize("seconds", [0, 3, 30])
async def test_who_is_withdrawn_stays_for_so_many_seconds(
    harness: Harness, broker: Broker, seconds: int
) -> None:
    await Node(broker).report({("a", "u"): 1})
    await broker.withdraw("node", seconds)
    if seconds:
        harness.advance(seconds - 1)
        assert await broker.sweep() == []
        harness.advance(1)
    assert went(await broker.sweep()) == [("a", "u")]


async def test_who_is_withdrawn_was_seen_last_now(
    harness: Harness, broker: Broker
) -> None:
    await Node(broker).report({(ONLINE, "u"): 1})
    harness.advance(3)
    await broker.withdraw("node", 0)
    (transition,) = await broker.sweep()
    assert transition.last_seen == NOW + 3_000_000


async def test_an_unknown_node_may_be_withdrawn(broker: Broker) -> None:
    await broker.withdraw("node")
    await broker.withdraw("node", 30)
    assert await Node(broker).report({("a", "u"): 1})


@pytest.mark.parametrize(
    ("members", "subscribers", "error"),
    [
        ({("a", "u\n"): 1}, {}, ValueError),
        ({("a", "\0u"): 1}, {}, ValueError),
        ({("a", "\ud800"): 1}, {}, ValueError),
        ({("a", "x" * (MAX_USER + 1)): 1}, {}, ValueError),
        ({("a b", "u"): 1}, {}, InvalidGroup),
        ({("a\n", "u"): 1}, {}, InvalidGroup),
        ({("a.*", "u"): 1}, {}, InvalidGroup),
        ({}, {"a\0": 1}, InvalidGroup),
        ({("a", "u"): -1}, {}, ValueError),
        ({}, {"a": -1}, ValueError),
    ],
)
async def test_a_report_with_what_can_not_be_is_refused(
    broker: Broker, members: Any, subscribers: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await Node(broker).report({("a", "v"): 1, **members}, subscribers)
    assert await present(broker, "a") == {}
    assert await Node(broker).report({("a", "u"): 1}, {"a": 1})


# Large groups.


async def test_of_a_large_group_only_counts_are_told(harness: Harness) -> None:
    broker = harness.broker(large_group=3)
    start = await broker.position()
    node = Node(broker)
    transitions = await node.report({("a", f"u{n}"): 1 for n in range(5)})
    assert transitions is not None
    assert went(transitions) == [("a", "u0"), ("a", "u1"), ("a", "u2")]
    assert (await told(broker, start, "a"))[3:] == counts(5)
    assert await node.report({("a", "u5"): 1}) == []
    assert await node.report({("a", "u6"): 1}) == []
    harness.advance(COUNT_SECONDS - 1)
    assert await node.report() == []
    assert (await told(broker, start, "a"))[3:] == counts(5)
    harness.advance(1)
    assert await node.report({("b", "u"): 1, (ONLINE, "u"): 1})
    assert (await told(broker, start, "a"))[3:] == counts(5, 7)


async def test_the_last_change_of_a_large_group_is_counted_by_a_sweep(
    harness: Harness,
) -> None:
    broker = harness.broker(large_group=3)
    start = await broker.position()
    node = Node(broker)
    await node.report({("a", f"u{n}"): 1 for n in range(10)})
    await node.report({("a", f"u{n}"): 0 for n in range(5)})
    assert await broker.sweep() == []
    assert (await told(broker, start, "a"))[3:] == counts(10)
    harness.advance(GRACE_SECONDS)
    assert await broker.sweep() == []
    assert (await told(broker, start, "a"))[3:] == counts(10, 5)
    await node.report({("a", "u5"): 0})
    harness.advance(COUNT_SECONDS)
    await broker.sweep()
    assert (await told(broker, start, "a"))[3:] == counts(10, 5)  # still in grace
    harness.advance(COUNT_SECONDS)
    await broker.sweep()
    assert (await told(broker, start, "a"))[3:] == counts(10, 5, 4)
    assert len(await present(broker, "a")) == 4


async def test_a_group_that_has_shrunk_is_told_of_single_members_after_a_last_count(
    harness: Harness,
) -> None:
    broker = harness.broker(large_group=10, presence_grace_seconds=1)
    start = await broker.position()
    node = Node(broker)
    users = [f"u{n:02}" for n in range(11)]
    await node.report({("a", user): 1 for user in users})
    assert (await told(broker, start, "a"))[10:] == counts(11)
    for user, expected in [
        ("u00", [11, 10]),  # not small yet
        ("u01", [11, 10, 9]),
    ]:
        harness.advance(COUNT_SECONDS)
        await node.report({("a", user): 0})
        harness.advance(1)
        assert await broker.sweep() == []
        assert (await told(broker, start, "a"))[10:] == counts(*expected)
    await node.report({("a", "u02"): 0})
    harness.advance(1)
    assert went(await broker.sweep()) == [("a", "u02")]
    assert await node.report({("a", "u00"): 1, ("a", "u01"): 1})
    assert (await told(broker, start, "a"))[10:] == [
        *counts(11, 10, 9),
        ("presence.leave", '{"user":"u02"}'),
        ("presence.join", '{"user":"u00"}'),
        ("presence.join", '{"user":"u01"}'),
    ]


async def test_counts_are_apart_even_if_the_group_was_small_in_between(
    harness: Harness,
) -> None:
    broker = harness.broker(large_group=3, presence_grace_seconds=0)
    start = await broker.position()
    node = Node(broker)
    members = {("a", f"u{n}"): 1 for n in range(4)}
    await node.report(members)
    harness.advance(COUNT_SECONDS)
    await node.report(dict.fromkeys(members, 0))
    await broker.sweep()
    assert await present(broker, "a") == {}
    await node.report(members)
    joins = [("presence.join", f'{{"user":"u{n}"}}') for n in range(3)]
    expected = [*joins, *counts(4, 0), *joins]
    harness.advance(COUNT_SECONDS - 1)
    await broker.sweep()
    assert await told(broker, start, "a") == expected
    harness.advance(1)
    await broker.sweep()
    assert await told(broker, start, "a") == [*expected, *counts(4)]


async def test_who_comes_silently_into_a_large_group_is_not_counted_for(
    harness: Harness,
) -> None:
    broker = harness.broker(large_group=3)
    start = await broker.position()
    node = Node(broker)
    await node.report({("a", f"u{n}"): 1 for n in range(5)}, silent=True)
    assert await told(broker, start, "a") == []
    await node.report({("a", "u5"): 1})
    assert await told(broker, start, "a") == counts(6)


async def test_online_is_never_only_counted(harness: Harness) -> None:
    broker = harness.broker(large_group=3, presence_grace_seconds=0)
    members = {(ONLINE, f"u{n}"): 1 for n in range(9)}
    assert len(await Node(broker).report(members) or ()) == 9
    await broker.withdraw("node")
    assert len(await broker.sweep()) == 9


async def test_a_group_is_large_with_more_than_a_thousand_members(
    harness: Harness,
) -> None:
    broker = harness.broker(history_size=2 * LARGE_GROUP)
    start = await broker.position()
    node = Node(broker)
    members = {("a", f"u{n}"): 1 for n in range(LARGE_GROUP)}
    assert len(await node.report(members) or ()) == LARGE_GROUP
    assert await node.report({("a", "another"): 1}) == []
    assert (await told(broker, start, "a"))[LARGE_GROUP:] == counts(1001)


async def test_many_counts_are_published_bit_by_bit(harness: Harness) -> None:
    broker = harness.broker(large_group=0)
    start = await broker.position()
    node = Node(broker)
    groups = [f"g{n:03}" for n in range(COUNTS_AT_ONCE + 20)]
    await node.report({(group, "u"): 1 for group in groups})
    assert len(await events(broker, start, *groups)) == COUNTS_AT_ONCE
    await broker.sweep(1)
    counted = await events(broker, start, *groups)
    assert [event.group for event in counted] == groups


# Reading.


async def test_members_are_sorted_and_tell_their_connections_and_since_when(
    harness: Harness, broker: Broker
) -> None:
    node = Node(broker)
    await node.report({("a", "b"): 1, ("a", "ä"): 2, ("b", "z"): 1})
    harness.advance(1)
    await node.report({("a", "b"): 0, ("a", "a"): 1, ("a", "B"): 1})
    assert (await broker.amembers("a")).members == [
        Member("B", 1, NOW + 1_000_000),
        Member("a", 1, NOW + 1_000_000),
        Member("b", 0, NOW),
        Member("ä", 2, NOW),
    ]
    assert (await broker.amembers("never.seen")).members == []


async def test_what_comes_after_the_position_is_what_members_lack(
    broker: Broker,
) -> None:
    node = Node(broker)
    await node.report({("a", "u"): 1})
    membership = await broker.amembers("a")
    await node.report({("a", "v"): 1})
    assert await told(broker, membership.position, "a") == [
        ("presence.join", '{"user":"v"}')
    ]


async def test_a_status_is_online_until_the_grace_is_over(
    harness: Harness, broker: Broker
) -> None:
    node = Node(broker)
    start = await broker.position()
    await node.report({(ONLINE, "u"): 2, ("a", "elsewhere"): 1})

    async def status() -> Status:
        found = await broker.astatuses(["v", "u", "elsewhere"])
        assert found.position.seq >= start.seq
        assert found.statuses[0] == Status("v", 0, None, None)
        assert found.statuses[2] == Status("elsewhere", 0, None, None)
        return found.statuses[1]

    assert await status() == Status("u", 2, start.seq, None)
    harness.advance(1)
    await node.report({(ONLINE, "u"): 0})
    assert await status() == Status("u", 0, start.seq, None)
    harness.advance(GRACE_SECONDS)
    await broker.sweep()
    assert await status() == Status("u", 0, None, NOW + 1_000_000)
    await node.report({(ONLINE, "u"): 1})
    assert await status() == Status("u", 1, NOW + 11_000_000, None)


async def test_who_leaves_another_group_was_not_seen_online(broker: Broker) -> None:
    node = Node(broker)
    await node.report({("a", "u"): 1})
    await node.report({("a", "u"): 0})
    assert (await broker.astatuses(["u"])).statuses == [Status("u", 0, None, None)]


@pytest.mark.parametrize(("seconds", "known"), [(MONTH, True), (MONTH + 1, False)])
async def test_when_a_user_was_online_is_known_for_a_month(
    harness: Harness, broker: Broker, seconds: int, known: bool
) -> None:
    await Node(broker).report({(ONLINE, "u"): 1})
    await broker.withdraw("node", 0)
    await broker.sweep()
    harness.advance(seconds)
    (status,) = (await broker.astatuses(["u"])).statuses
    assert (status.last_seen is not None) == known


async def test_the_subscribers_of_all_nodes_are_counted(broker: Broker) -> None:
    one, other = Node(broker, "one"), Node(broker, "other")
    await one.report({}, {"a": 2, "b": 1})
    await other.report({}, {"a": 3})
    await one.report({}, {"a": 1, "b": 0})
    assert await broker.asubscribers(["b", "a", "c", "a"]) == [0, 4, 0, 4]
    assert await broker.asubscribers([]) == []


async def test_it_is_read_from_any_thread_and_loop(broker: Broker) -> None:
    await Node(broker).report({("a", "u"): 1, (ONLINE, "u"): 1}, {"a": 1})
    await broker.feed()  # makes this loop the home of a broker that has one
    read: list[tuple[Callable[[], Any], Callable[[], Awaitable[Any]]]] = [
        (lambda: broker.members("a"), lambda: broker.amembers("a")),
        (lambda: broker.statuses(["u"]), lambda: broker.astatuses(["u"])),
        (lambda: broker.subscribers(["a"]), lambda: broker.asubscribers(["a"])),
        (lambda: broker.groups("", "", 9), lambda: broker.agroups("", "", 9)),
    ]

    async def elsewhere(areading: Callable[[], Awaitable[Any]]) -> Any:
        return await areading()

    for reading, areading in read:
        expected = await areading()
        assert await asyncio.to_thread(reading) == expected
        there = await asyncio.to_thread(asyncio.run, elsewhere(areading))
        assert there == expected


@pytest.mark.parametrize("group", ["a\0", "a\n", "*", "", "ü"])
async def test_what_is_no_group_is_not_read(broker: Broker, group: str) -> None:
    with pytest.raises(InvalidGroup):
        await broker.amembers(group)
    with pytest.raises(InvalidGroup):
        await broker.asubscribers([group])


async def test_the_subscribers_of_a_pattern_are_its_own(broker: Broker) -> None:
    await Node(broker).report({}, {"a.*": 2, "a.b": 1})
    assert await broker.asubscribers(["a.*", "a.b", "a.c"]) == [2, 1, 0]
    with pytest.raises(InvalidGroup):
        await broker.amembers("a.*")


# Who is heard.


async def heard(broker: Broker, prefix: str = "", after: str = "") -> list[str]:
    return [one.name for one in await broker.agroups(prefix, after, 1000)]


NAMES = ["B", "_", "a", "a-", "a-.x", "a.*", "a.1", "a.10", "a.2", "a.2.x", "a0", "b"]
"""In the order of ASCII, which is that of no language."""


async def test_groups_and_patterns_that_are_heard_are_listed_in_order_with_how_many(
    broker: Broker,
) -> None:
    one, other = Node(broker, "one"), Node(broker, "other")
    await one.report({("c", "u"): 1}, {"b": 2, "a.*": 1, "a.b": 1})
    await other.report({}, {"b": 3})
    assert list(await broker.agroups("", "", 1000)) == [
        Audience("a.*", 1),
        Audience("a.b", 1),
        Audience("b", 5),
    ]


async def test_they_come_in_the_order_of_characters(broker: Broker) -> None:
    await Node(broker).report({}, dict.fromkeys(reversed(NAMES), 1))
    assert await heard(broker) == NAMES == sorted(NAMES)


@pytest.mark.parametrize(
    "prefix", ["", "a", "a.", "a.1", "a.10", "a.*", "b", "c", "B", "ü", "a\xff", "~"]
)
@pytest.mark.parametrize(
    "after", ["", "a", "a.", "a.1", "a.10", "a.2.x", "b", "a/", "~", "ü", "\x7f"]
)
async def test_they_begin_with_a_text_and_come_after_another_in_use_or_not(
    broker: Broker, prefix: str, after: str
) -> None:
    await Node(broker).report({}, dict.fromkeys(NAMES, 1))
    assert await heard(broker, prefix, after) == [
        name for name in NAMES if name.startswith(prefix) and name > after
    ]


@pytest.mark.parametrize("limit", [1, 2, 5, 11, 12, 13])
async def test_no_more_than_the_limit_are_listed_and_the_next_follow(
    broker: Broker, limit: int
) -> None:
    await Node(broker).report({}, dict.fromkeys(NAMES, 1))
    listed: list[str] = []
    while page := await broker.agroups("", listed[-1] if listed else "", limit):
        assert len(page) == min(limit, len(NAMES) - len(listed))
        listed += [one.name for one in page]
    assert listed == NAMES


async def test_one_that_nobody_hears_any_more_is_not_listed(broker: Broker) -> None:
    one, other = Node(broker, "one"), Node(broker, "other")
    await one.report({}, {"a": 1, "b": 1, "c": 2})
    await other.report({}, {"b": 1})
    await one.report({}, {"a": 0, "b": 0, "c": 1})
    assert await heard(broker) == ["b", "c"]
    await broker.withdraw("other")
    assert await heard(broker) == ["c"]
    await one.report({}, {"a": 1})
    assert await heard(broker) == ["a", "c"]


async def test_what_a_dead_node_heard_is_not_listed_any_more(
    harness: Harness, broker: Broker
) -> None:
    dead, alive = Node(broker, "dead"), Node(broker, "alive")
    await dead.report({}, {"a": 1, "b": 1})
    harness.advance(LEASE_SECONDS - 1)
    await alive.report({}, {"b": 1, "c": 1})
    assert await heard(broker) == ["a", "b", "c"]
    harness.advance(1)
    await broker.sweep()
    assert list(await broker.agroups("", "", 9)) == [Audience("b", 1), Audience("c", 1)]


async def test_who_was_only_published_to_is_not_listed(broker: Broker) -> None:
    await publish(broker, "a")
    await Node(broker).report({("b", "u"): 1, (ONLINE, "u"): 1})
    assert await heard(broker) == []


@pytest.mark.parametrize("user", ["a\0", "a\n", "\ud800", "x" * (MAX_USER + 1)])
async def test_what_is_no_user_is_not_asked_for(broker: Broker, user: str) -> None:
    with pytest.raises(ValueError):
        await broker.astatuses([user])


# The clock.


async def test_who_comes_while_the_clock_is_back_has_been_there_since_the_present(
    harness: Harness, broker: Broker
) -> None:
    node = Node(broker)
    (position,) = await publish(broker, "a")
    harness.advance(-60)
    await node.report({("a", "u"): 1})
    (member,) = (await broker.amembers("a")).members
    assert member.since == position.seq
    await node.report({("a", "u"): 0})
    harness.advance(GRACE_SECONDS - 1)
    assert await broker.sweep() == []
    harness.advance(1)
    assert went(await broker.sweep()) == [("a", "u")]
