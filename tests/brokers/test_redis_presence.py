"""What the Redis broker promises of presence and revocations beyond the contract."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sse_components import wire
from sse_components.brokers.base import (
    COUNT_SECONDS,
    GRACE_SECONDS,
    LEASE_SECONDS,
    ONLINE,
    Broker,
    Report,
    Revocation,
)
from sse_components.brokers.redis import RedisBroker
from sse_components.brokers.redis.presence import WITHDRAWN_AT_ONCE
from sse_components.brokers.redis.revocations import REVOCATIONS_PER_CALL
from sse_components.brokers.redis.scripts import lua
from sse_components.events import MAX_SEQ, Event, Position
from tests.brokers.conftest import (
    NOW,
    Harness,
    MemoryHarness,
    NewBroker,
    Node,
    RedisHarness,
    Servers,
    draft,
    ear,
    present,
)
from tests.redis_servers import RedisServer

GROUPS = ["g.1", "g.2", ONLINE]
USERS = ["a", "b", "c", "d", "e/é"]
NODES = ["one", "other"]


@pytest.fixture
async def broker(new_broker: NewBroker, server: RedisServer) -> RedisBroker:
    """A broker whose home is the test's loop."""
    broker = new_broker(server)
    await broker.feed()
    return broker


@pytest.fixture
async def harness(servers: Servers) -> AsyncIterator[RedisHarness]:
    harness = RedisHarness(servers("redis-6.2"))
    yield harness
    await harness.close()


# The same as in memory.


def _numbers(keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[Any, int]]:
    return st.dictionaries(keys, st.integers(0, 2), max_size=6)


STEPS = st.one_of(
    st.tuples(
        st.just("report"),
        st.sampled_from(NODES),
        st.sampled_from(["next"] * 12 + ["again", "older", "skipped", "anew"]),
        _numbers(st.tuples(st.sampled_from(GROUPS), st.sampled_from(USERS))),
        _numbers(st.sampled_from(GROUPS)),
        st.sampled_from([False] * 4 + [True]),
    ),
    st.tuples(
        st.just("advance"),
        st.sampled_from([0.000_001, 1, 4, 5, 9, 10, 14, 15, -3, 31 * 86_400]),
    ),
    st.tuples(st.just("sweep")),
    st.tuples(
        st.just("withdraw"), st.sampled_from(NODES), st.sampled_from([None, 0, 30])
    ),
    st.tuples(st.just("publish"), st.sampled_from(["g.1", ONLINE])),
    st.tuples(st.just("revoke"), st.sampled_from(USERS), st.sampled_from([1, 10, 60])),
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, max_size=30))
def test_it_does_what_the_memory_broker_does(
    redis_server: RedisServer, steps: Sequence[tuple[Any, ...]]
) -> None:
    asyncio.run(_done_alike(redis_server, steps))


async def _done_alike(server: RedisServer, steps: Sequence[tuple[Any, ...]]) -> None:
    redis_harness = RedisHarness(server)
    harnesses: list[Harness] = [MemoryHarness(), redis_harness]
    brokers = [harness.broker(large_group=3) for harness in harnesses]
    starts = [await broker.position() for broker in brokers]
    for broker in brokers:
        await ear(broker, "g.*")
    turns = dict.fromkeys(NODES, 0)
    for kind, *step in steps:
        if kind == "advance":
            for harness in harnesses:
                harness.advance(step[0])
            continue
        if kind == "report":
            step = [_report(turns, *step)]
        results = [
            await _result(broker, kind, step, start)
            for broker, start in zip(brokers, starts, strict=True)
        ]
        assert results[1] == results[0]
        if kind == "report" and results[0][0] != "None":
            turns[step[0].node] = max(turns[step[0].node], step[0].turn)
        elif kind == "report":
            turns[step[0].node] = 0  # it begins anew, if it may
    for broker in brokers:
        await broker.close()
    await redis_harness.close()


def _report(
    turns: Mapping[str, int],
    node: str,
    turn: str,
    members: Mapping[tuple[str, str], int],
    subscribers: Mapping[str, int],
    silent: bool,
) -> Report:
    last = turns[node]
    new, after = {
        "next": (last + 1, last),
        "again": (max(last, 1), max(last - 1, 0)),
        "older": (max(last - 1, 1), max(last - 2, 0)),
        "skipped": (last + 2, last + 1),
        "anew": (last + 1, 0),
    }[turn]
    return Report(node, new, after, members, subscribers, silent)


async def _result(
    broker: Broker, kind: str, step: Sequence[Any], start: Position
) -> list[str]:
    """Do something, and return what came of it and how all is now, without epochs."""
    calls: dict[str, Callable[..., Any]] = {
        "report": broker.report,
        "sweep": broker.sweep,
        "withdraw": broker.withdraw,
        "publish": lambda group: broker.apublish([draft(group)]),
        "revoke": lambda subject, seconds: broker.arevoke(subject, "", seconds),
    }
    result = [await calls[kind](*step)]
    result += [await broker.amembers(group) for group in GROUPS]
    result += [await broker.astatuses(USERS), await broker.asubscribers(GROUPS)]
    result += [sorted(await broker.revocations(), key=lambda one: one.subject)]
    result += [list(await broker.agroups("g", "", 2)), await broker.agroups("", "h", 9)]
    result += [await broker.history(group, 3) for group in GROUPS]
    resumed = await broker.resume(start, [*GROUPS, "g.*"], 10_000)
    if not resumed.usable:
        # Redis forgets a pattern whose feed isn't probed for as long as that.
        resumed = replace(resumed, newest={})
    result += [resumed]
    return [repr(part).replace(start.epoch, "") for part in result]


# Texts and times.


def _evaluated(server: RedisServer, expression: str, argument: str | int) -> bytes:
    """Return what a script of presence makes of an argument."""
    source = [lua("clock"), lua("prelude"), lua("presence"), f"return {expression}"]
    common = ["e", *["0"] * 9]
    client = server.client()
    key = f"{secrets.token_hex(4)}:m"
    answer: bytes = client.eval("\n".join(source), 1, key, *common, argument)
    client.close()
    return answer


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seq=st.integers(0, MAX_SEQ))
def test_a_time_is_written_as_in_an_envelope(
    redis_server: RedisServer, seq: int
) -> None:
    _is_written_alike(redis_server, seq)


def test_times_at_edges_are_written_so_too(redis_server: RedisServer) -> None:
    ends = [
        datetime(year, month, day, 23, 59, 59, 999_999, UTC)
        for year in (1970, 1972, 1999, 2000, 2026, 2028, 2100, 2255)
        for month, day in ((2, 28), (3, 1), (12, 31) if year < 2255 else (4, 30))
    ]
    seqs = [int(end.timestamp()) * 1_000_000 + 999_999 for end in ends]
    for seq in (0, MAX_SEQ, *seqs, *(seq + 1 for seq in seqs)):
        _is_written_alike(redis_server, seq)


def _is_written_alike(server: RedisServer, seq: int) -> None:
    envelope = wire.event(Event(Position("e", seq), "a", "t", b"{}")).json
    written = _evaluated(server, "time(tonumber(ARGV[OWN]))", seq)
    assert written.decode() == json.loads(envelope)["ts"]


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_is_written_as_any_json(redis_server: RedisServer, text: str) -> None:
    assert _evaluated(redis_server, "json(ARGV[OWN])", text) == wire.dumps(text)


# More than one process.


async def test_eight_processes_that_sweep_at_once_tell_of_each_who_went_once(
    new_broker: NewBroker, server: RedisServer
) -> None:
    brokers = [new_broker(server, key_prefix="same") for _ in range(8)]
    start = await brokers[0].position()
    users = [f"u{n}" for n in range(500)]
    await Node(brokers[0]).report({(ONLINE, user): 1 for user in users})
    await brokers[0].withdraw("node", 0)

    def sweeping(broker: RedisBroker) -> list[str]:
        swept: list[str] = []
        while transitions := asyncio.run(broker.sweep(7)):
            swept += [one.user for one in transitions]
        return swept

    with ThreadPoolExecutor(8) as threads:
        futures = [threads.submit(sweeping, broker) for broker in brokers]
        swept = [await asyncio.to_thread(future.result) for future in futures]
    assert sorted(user for each in swept for user in each) == sorted(users)
    page = await brokers[0].resume(start, [ONLINE], 10_000)
    types = [event.type for event in page.events]
    assert types == ["presence.online"] * 500 + ["presence.offline"] * 500


# Withdrawing bit by bit.


ALL = [f"u{n}" for n in range(2 * WITHDRAWN_AT_ONCE)]


async def begun(broker: Broker, grace_seconds: float) -> Node:
    """Return a node of which only some is withdrawn."""
    assert isinstance(broker, RedisBroker)
    node = Node(broker)
    await node.report({(ONLINE, user): 1 for user in ALL})
    assert not await broker._aask(broker._presence.withdraw("node", grace_seconds))
    return node


async def test_a_node_that_is_being_withdrawn_is_refused(harness: RedisHarness) -> None:
    broker = harness.broker()
    node = await begun(broker, 0)
    assert 0 < sum((await present(broker, ONLINE)).values()) < len(ALL)
    assert await node.report({("a", "v"): 1}) is None
    assert await Node(broker).report({("a", "v"): 1}) is None
    await broker.withdraw("node")
    assert not any((await present(broker, ONLINE)).values())
    assert await Node(broker).report({("a", "v"): 1}) is not None


async def test_what_was_not_withdrawn_is_swept_with_the_same_grace_and_time(
    harness: RedisHarness,
) -> None:
    broker = harness.broker()
    await begun(broker, 30)
    left = sum((await present(broker, ONLINE)).values())
    harness.advance(2)
    assert await broker.sweep(10_000) == []
    assert not any((await present(broker, ONLINE)).values())
    harness.advance(28)
    assert len(await broker.sweep(10_000)) == len(ALL) - left
    harness.advance(1)
    assert await broker.sweep(10_000) == []
    harness.advance(1)
    assert len(await broker.sweep(10_000)) == left
    seen = [one.last_seen or 0 for one in (await broker.astatuses(ALL)).statuses]
    assert NOW <= min(seen) <= max(seen) < NOW + 1_000_000


async def test_a_large_node_is_withdrawn_whole(harness: RedisHarness) -> None:
    broker = harness.broker()
    members = {("a", f"u{n}"): 1 for n in range(3 * WITHDRAWN_AT_ONCE)}
    node = Node(broker)
    await node.report(members, {f"g{n}": 1 for n in range(WITHDRAWN_AT_ONCE)})
    await broker.withdraw("node", 0)
    assert not any((await present(broker, "a")).values())
    assert await broker.asubscribers(["g0", "g999"]) == [0, 0]
    assert await node.report() is None


# Memory that is lost.


async def test_after_a_loss_nodes_begin_anew_and_nobody_is_told(
    broker: RedisBroker, client: redis.Redis
) -> None:
    node = Node(broker)
    members = {("a", "u"): 1, (ONLINE, "u"): 1}
    await node.report(members, {"a": 1})
    client.flushall()
    assert await node.report({("a", "v"): 1}) is None
    start = await broker.position()
    await broker.withdraw("node")
    node.turn = 0
    assert await node.report(members, {"a": 1}, silent=True) == []
    assert await present(broker, "a") == {"u": 1}
    assert await broker.asubscribers(["a"]) == [1]
    assert not (await broker.resume(start, ["a", ONLINE], 10)).events
    assert [one.user for one in await node.report({("a", "v"): 1}) or ()] == ["v"]


async def test_the_groups_that_have_subscribers_are_kept_in_order(
    harness: RedisHarness, servers: Servers
) -> None:
    own = secrets.token_hex(8)
    one, other = (Node(harness.broker(key_prefix=own), name) for name in NODES)
    client = servers("redis-6.2").client()
    await one.report({}, {"b": 1, "a.b": 1, "a": 1})
    await other.report({}, {"b": 2, "c": 1})
    await one.report({}, {"b": 0, "a": 0})
    assert client.zrangebylex(f"{own}:0:z", "-", "+") == [b"a.b", b"b", b"c"]
    client.close()


async def test_nothing_is_left_of_who_has_gone(
    harness: RedisHarness, servers: Servers
) -> None:
    own = secrets.token_hex(8)
    broker = harness.broker(key_prefix=own, large_group=3, history_size=0)
    await Node(broker).report({("a", f"u{n}"): 1 for n in range(9)}, {"a": 1})
    harness.advance(LEASE_SECONDS)
    await broker.sweep()
    harness.advance(GRACE_SECONDS)
    await broker.sweep()
    client = servers("redis-6.2").client()
    kept = {key: client.pttl(key) for key in client.scan_iter(f"{own}:*")}
    client.close()
    assert [key for key, left in kept.items() if left < 0] == [f"{own}:0:m".encode()]


async def test_a_group_that_is_large_again_stays_so(
    harness: RedisHarness, servers: Servers
) -> None:
    own = secrets.token_hex(8)
    broker = harness.broker(key_prefix=own, large_group=3, presence_grace_seconds=0)
    node = Node(broker)
    members = {("a", f"u{n}"): 1 for n in range(4)}
    client = servers("redis-6.2").client()
    for numbers, expires in ((members, False), (dict.fromkeys(members, 0), True)) * 2:
        await node.report(numbers)
        await broker.sweep()
        assert (client.pttl(f"{own}:0:k:a") > 0) == expires
        harness.advance(COUNT_SECONDS)
    client.close()


# Revocations.


async def test_more_revocations_than_a_call_returns_are_all_returned(
    harness: RedisHarness,
) -> None:
    broker = harness.broker()
    await broker.feed()
    many, first = 2 * REVOCATIONS_PER_CALL + 100, REVOCATIONS_PER_CALL + 1000

    def seconds(n: int) -> float:
        # Of the later ones, as much shorter as they are later, so that they are over
        # all at once.
        return 60 if n < first else 120 - n / 1e6

    for start in range(0, many, 2000):
        some = range(start, min(start + 2000, many))
        await asyncio.gather(*(broker.arevoke(f"u{n}", "", seconds(n)) for n in some))
    found = await broker.revocations()
    assert len(found) == many
    assert {one.subject for one in found} == {f"u{n}" for n in range(many)}


async def test_those_that_are_over_are_not_kept(
    harness: RedisHarness, servers: Servers
) -> None:
    own = secrets.token_hex(8)
    broker = harness.broker(key_prefix=own)
    for n in range(5):
        await broker.arevoke(f"u{n}", "", 60)
    harness.advance(61)
    last = await broker.arevoke("u", "", 60)
    assert await broker.revocations() == [Revocation(last, "u", "")]
    client = servers("redis-6.2").client()
    assert client.zcard(f"{own}:0:v:u") == client.hlen(f"{own}:0:v:s") == 1
    assert 0 < client.pttl(f"{own}:0:v:u") <= 60_000
    assert 0 < client.pttl(f"{own}:0:v:s") <= 60_000
    client.close()


async def test_they_are_noted_no_longer_than_redis_remembers(
    broker: RedisBroker, client: redis.Redis
) -> None:
    await broker.arevoke("u", "", 60)
    client.flushall()
    assert await broker.revocations() == []
