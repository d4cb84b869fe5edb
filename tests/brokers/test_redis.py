"""What the Redis broker promises beyond the contract, by real faults of real servers.

Its feeds have tests of their own.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sse_components.brokers.base import Broker, Idempotency, Resumption
from sse_components.brokers.redis import RedisBroker
from sse_components.brokers.redis.broker import (
    LEAST_EVENTS,
    NAMES_PER_CALL,
    THREADS,
    _joined,
)
from sse_components.brokers.redis.calls import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    PATIENCE_SECONDS,
)
from sse_components.brokers.redis.feed import SUBSCRIBE_SECONDS
from sse_components.errors import BrokerRefused, BrokerUnavailable
from sse_components.events import MAX_NAME, MAX_PAYLOAD, Event, Position
from tests.brokers.conftest import (
    Harness,
    MemoryHarness,
    NewBroker,
    Node,
    RedisHarness,
    draft,
    drafts,
    ear,
    publish,
    until,
)
from tests.brokers.faults import FaultyProxy, Lost
from tests.redis_servers import NewRedisServer, RedisServer

LIMIT = 100
NAMES = [f"n{n % 9}.{n}" for n in range(2 * NAMES_PER_CALL + 50)]
PATTERNS = [f"n{n}.*" for n in range(9)]


@pytest.fixture
async def broker(new_broker: NewBroker, server: RedisServer) -> RedisBroker:
    """A broker whose home is the test's loop."""
    broker = new_broker(server)
    await broker.feed()
    return broker


async def events(broker: Broker, start: Position, *names: str) -> list[Event]:
    """Return all that came after a position."""
    found: list[Event] = []
    more = True
    while more:
        page = await broker.resume(start, names, LIMIT)
        assert not page.lost
        found += page.events
        start, more = page.position, page.more
    return found


def clients(client: redis.Redis, type: str = "normal") -> int:
    """How many connections there are, but for the asking one."""
    return len(client.client_list(_type=type)) - (type == "normal")


# Batches.


async def test_what_is_published_in_one_turn_of_the_loop_goes_together_and_in_order(
    broker: RedisBroker, client: redis.Redis
) -> None:
    await publish(broker, "a")
    reads = client.info("stats")["total_reads_processed"]
    calls = [publish(broker, "a", "b") for _ in range(100)]
    positions = [one for call in await asyncio.gather(*calls) for one in call]
    assert client.info("stats")["total_reads_processed"] - reads < 20
    assert positions == sorted(positions, key=lambda position: position.seq)
    assert len({position.seq for position in positions}) == 200


async def test_what_is_asked_while_a_batch_is_under_way_goes_together_too(
    broker: RedisBroker, server: RedisServer, client: redis.Redis
) -> None:
    await publish(broker, "a")
    reads = client.info("stats")["total_reads_processed"]
    server.pause()
    calls = []
    for _ in range(50):
        calls.append(asyncio.create_task(publish(broker, "a")))
        await asyncio.sleep(0)
    server.go_on()
    positions = [one for call in calls for one in await call]
    assert client.info("stats")["total_reads_processed"] - reads < 20
    assert positions == sorted(positions, key=lambda position: position.seq)


async def test_no_more_calls_wait_than_can_be_borne(
    broker: RedisBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sse_components.brokers.redis.calls.MAX_WAITING", 100)
    calls = [publish(broker, "a") for _ in range(100 + 1)]
    *_, last = results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(last, BrokerUnavailable)
    assert sum(isinstance(result, list) for result in results) == 100
    assert await publish(broker, "a")


async def test_who_has_given_up_is_not_asked_for_and_harms_nobody(
    broker: RedisBroker,
) -> None:
    start = await broker.position()
    leaver, stayer = (asyncio.create_task(publish(broker, "a")) for _ in range(2))
    await asyncio.sleep(0)  # both are waiting for their batch
    leaver.cancel()
    positions = await stayer
    assert [one.position for one in await events(broker, start, "a")] == positions


# A process that stops may be connecting still: what is cancelled then, redis-py leaves
# behind as a coroutine that was never awaited, and what a thread asks, as a socket that
# nobody closes. Both show when they are collected.
async def test_closing_at_any_moment_leaves_nothing_behind(
    redis_server: RedisServer,
) -> None:
    for turns in range(25):
        broker = RedisBroker(redis_server.url, key_prefix="closing")
        feed = await broker.feed()
        asking = asyncio.create_task(broker.position())
        for _ in range(turns):
            await asyncio.sleep(0)
        await broker.close()
        await asyncio.gather(asking, return_exceptions=True)
        await feed.close()
        gc.collect()


async def test_a_thread_that_connects_while_all_is_closed_keeps_no_connection(
    new_broker: NewBroker,
    server: RedisServer,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = new_broker(server)  # one that nothing has connected yet
    assert client.ping()
    connecting, going_on = threading.Event(), threading.Event()
    connect = redis.Connection.connect

    def slow(connection: redis.Connection) -> None:
        connecting.set()
        going_on.wait()
        connect(connection)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(redis.Connection, "connect", slow)
    asking = asyncio.create_task(broker.check())
    try:
        assert await asyncio.to_thread(connecting.wait, 10)
        await broker.close()
    finally:
        going_on.set()
    await asking
    await until(lambda: clients(client) == 0)


# Scripts.


async def test_scripts_that_redis_has_forgotten_are_sent_again(
    broker: RedisBroker, client: redis.Redis
) -> None:
    start = await broker.position()
    heard = await ear(broker, "a.*")
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: publish(broker, "a.1"),
        lambda: asyncio.to_thread(broker.publish, drafts("a.1")),
        lambda: asyncio.to_thread(asyncio.run, publish(broker, "a.1")),
        lambda: broker.resume(start, ["a.1"], LIMIT),
        lambda: broker.position(),
        lambda: broker.arevoke("u", "", 60),
        lambda: broker.revocations(),
        lambda: Node(broker).report({("b", "u"): 1}),
        lambda: broker.sweep(),
        lambda: broker.amembers("b"),
        lambda: asyncio.to_thread(broker.members, "b"),
        lambda: broker.astatuses(["u"]),
        lambda: broker.asubscribers(["b"]),
        lambda: broker.withdraw("node"),
        lambda: heard.feed.probe(),
        lambda: heard.feed.subscribe(["b.*"]),
    ]
    for call in calls:
        client.script_flush()
        await call()
    client.script_flush()
    together = [publish(broker, "a.1") for _ in range(10)]
    positions = [one for call in await asyncio.gather(*together) for one in call]
    assert positions == sorted(positions, key=lambda position: position.seq)
    assert len(await events(broker, start, "a.1")) == 13


# Other loops.


async def test_publishing_on_loops_that_end_leaves_no_connection_and_no_thread(
    broker: RedisBroker, client: redis.Redis
) -> None:
    start = await broker.position()
    there, before = clients(client), set(threading.enumerate())

    def elsewhere() -> None:
        for _ in range(40):
            asyncio.run(publish(broker, "a"))
            async_to_sync(broker.apublish)(drafts("a"))

    workers = [threading.Thread(target=elsewhere) for _ in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        await asyncio.to_thread(worker.join)
    assert len(await events(broker, start, "a")) == 400
    assert clients(client) - there <= THREADS
    # Those of the loop are the test's own, to join the others in.
    new = [thread.name for thread in set(threading.enumerate()) - before]
    assert len([name for name in new if not name.startswith("asyncio_")]) <= THREADS


async def test_a_closed_broker_says_so_on_any_loop(broker: RedisBroker) -> None:
    await broker.close()
    with pytest.raises(BrokerUnavailable):
        await broker.apublish([draft("a")])


# Connections that break.


async def test_a_connection_that_broke_between_calls_is_not_noticed(
    broker: RedisBroker, client: redis.Redis
) -> None:
    start = await broker.position()
    for _ in range(3):
        await publish(broker, "a")
        await asyncio.to_thread(broker.publish, drafts("a"))
        assert clients(client) >= 2
        await asyncio.to_thread(client.client_kill_filter, _type="normal", skipme=True)
    assert len(await events(broker, start, "a")) == 6


@pytest.mark.parametrize("lost", ["question", "answer"])
@pytest.mark.parametrize("at_home", [True, False])
async def test_without_a_key_a_call_that_broke_is_not_made_again(
    new_broker: NewBroker, proxy: FaultyProxy, lost: Lost, at_home: bool
) -> None:
    broker = await _settled(new_broker(f"redis://127.0.0.1:{proxy.port}/0"), at_home)
    start = await broker.position()
    proxy.losing = lost
    with pytest.raises(BrokerUnavailable):
        await publish(broker, "a")
    stored = await events(broker, start, "a")
    assert len(stored) == (lost == "answer")


@pytest.mark.parametrize("lost", ["question", "answer"])
@pytest.mark.parametrize("at_home", [True, False])
async def test_with_a_key_a_call_that_broke_is_made_again_and_publishes_once(
    new_broker: NewBroker, proxy: FaultyProxy, lost: Lost, at_home: bool
) -> None:
    broker = await _settled(new_broker(f"redis://127.0.0.1:{proxy.port}/0"), at_home)
    start = await broker.position()
    proxy.losing = lost
    published = await broker.apublish(drafts("a", "b"), Idempotency("key", "body"))
    stored = await events(broker, start, "a", "b")
    assert [one.position for one in published] == [event.position for event in stored]
    assert len(stored) == 2


async def _settled(broker: RedisBroker, at_home: bool) -> RedisBroker:
    """Return a broker that asks nothing by itself, and whose scripts are known."""
    if at_home:
        await ear(broker, "b")
    await publish(broker, "a")
    return broker


# Redis is away.


@asynccontextmanager
async def unavailable(seconds: float) -> AsyncIterator[None]:
    """Expect to be told within seconds that Redis is away, and nothing secret."""
    start = time.monotonic()
    with pytest.raises(BrokerUnavailable) as raised:
        yield
    assert time.monotonic() - start < seconds
    assert "secret" not in str(raised.value)


async def all_raise(broker: RedisBroker, heard: Any, seconds: float) -> None:
    start = Position("epoch", 1)
    calls: list[Coroutine[Any, Any, Any]] = [
        broker.apublish(drafts("a")),
        broker.resume(start, ["a"], LIMIT),
        broker.position(),
        broker.arevoke("u", "", 60),
        broker.revocations(),
        Node(broker).report({("a", "u"): 1}),
        broker.withdraw("node"),
        broker.sweep(),
        broker.amembers("a"),
        asyncio.to_thread(broker.revoke, "u", "", 60),
        asyncio.to_thread(broker.statuses, ["u"]),
        heard.feed.subscribe(["b", "b.*"]),
        heard.feed.probe(),
        asyncio.to_thread(broker.publish, drafts("a")),
        asyncio.to_thread(asyncio.run, publish(broker, "a")),
        asyncio.to_thread(asyncio.run, broker.resume(start, ["a"], LIMIT)),
    ]

    async def raises(call: Coroutine[Any, Any, Any]) -> None:
        async with unavailable(seconds):
            await call

    await asyncio.gather(*map(raises, calls))


async def test_while_redis_is_gone_all_say_so_and_afterwards_all_work(
    new_broker: NewBroker,
    new_redis_server: NewRedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = new_redis_server(password="secret")
    server.start()
    broker = new_broker(server)
    heard = await ear(broker, "a")
    before = await broker.position()
    server.kill()
    await all_raise(broker, heard, SUBSCRIBE_SECONDS + 1)
    with caplog.at_level(logging.DEBUG):
        async with unavailable(1):
            await new_broker(server).check()
    assert "secret" not in caplog.text
    server.start()
    start = await broker.position()
    assert start.epoch != before.epoch
    await publish(broker, "a")
    await asyncio.to_thread(broker.publish, drafts("a"))
    await asyncio.to_thread(asyncio.run, publish(broker, "a"))
    await heard.feed.subscribe(["b"])
    assert len(await events(broker, start, "a")) == 3
    assert not (await broker.resume(before, ["a"], LIMIT)).usable


async def test_a_redis_that_is_silent_is_given_up_soon(
    broker: RedisBroker, new_broker: NewBroker, server: RedisServer
) -> None:
    heard, stranger = await ear(broker, "a"), new_broker(server)
    await publish(broker, "a")
    server.pause()
    async with asyncio.TaskGroup() as group:
        # A batch for the others to wait for.
        group.create_task(_gives_up(publish(broker, "a")))
        group.create_task(_gives_up(broker.position()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        group.create_task(all_raise(broker, heard, PATIENCE_SECONDS + 1))
        group.create_task(_gives_up(stranger.check()))
    server.go_on()
    assert await publish(broker, "a")
    await stranger.check()


async def _gives_up(call: Coroutine[Any, Any, Any]) -> None:
    async with unavailable(CONNECT_SECONDS + ANSWER_SECONDS + 1):
        await call


async def test_a_wrong_password_is_not_told(
    new_broker: NewBroker, new_redis_server: NewRedisServer
) -> None:
    server = new_redis_server(password="right")
    server.start()
    broker = new_broker(server.url.replace("right", "secret"))
    async with unavailable(1):
        await publish(broker, "a")
    async with unavailable(1):
        await broker.check()
    await broker.feed()
    async with unavailable(1):
        await publish(broker, "a")


# Who shares a server.


@pytest.mark.parametrize(
    ("database", "prefix"), [("/1", "own"), ("/0", "other"), ("?db=1", "own")]
)
async def test_who_shares_a_server_is_neither_heard_nor_resumed(
    new_broker: NewBroker, redis_server: RedisServer, database: str, prefix: str
) -> None:
    url = redis_server.url.removesuffix("/0")
    one = new_broker(f"{url}/0", key_prefix="own")
    other = new_broker(f"{url}{database}", key_prefix=prefix)
    heard = await ear(one, "a.*", "a.1")
    await ear(other, "a.*", "a.1")
    start, foreign = await one.position(), await other.position()
    await publish(other, "a.1")
    assert await heard.hears_nothing()
    assert not await events(one, start, "a.1", "a.*")
    assert not (await one.resume(foreign, ["a.1"], LIMIT)).usable
    assert len(await events(other, foreign, "a.1", "a.*")) == 1


@pytest.mark.parametrize(
    ("database", "also"), [("/1", "?db=1"), ("/0", ""), ("/0", "/")]
)
async def test_a_database_is_the_same_however_it_is_named(
    new_broker: NewBroker, redis_server: RedisServer, database: str, also: str
) -> None:
    url = redis_server.url.removesuffix("/0")
    one = new_broker(f"{url}{database}", key_prefix="same")
    other = new_broker(f"{url}{also}", key_prefix="same")
    heard = await ear(one, "a")
    start = await one.position()
    positions = await publish(other, "a")
    assert not await heard.hears_nothing()
    assert [event.position for event in await events(one, start, "a")] == positions


# Resuming over more names than one call takes.


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.tuples(
            st.lists(st.sampled_from(NAMES), max_size=30),
            st.sampled_from([0.0, 0.001, 4.0]),
        ),
        max_size=12,
    ),
    asked=st.lists(
        st.sampled_from([*NAMES, *PATTERNS, "never.noted.*"]), max_size=3, unique=True
    ),
    back=st.integers(0, 12),
    limit=st.sampled_from([1, 2, 3, 7, 40]),
    size=st.sampled_from([0, 1, 3, 1000]),
    patterns=st.sampled_from([[], PATTERNS]),
)
@example([([NAMES[0]] * 3, 0.0)], [], 12, 1, 1000, [])  # one part has more, none else
@example([([NAMES[0]] * 21, 0.0)], [], 1, 40, 1000, [])  # and gives less than the limit
def test_many_names_are_resumed_as_if_in_one_step(
    redis_server: RedisServer,
    calls: Sequence[tuple[list[str], float]],
    asked: list[str],
    back: int,
    limit: int,
    size: int,
    patterns: list[str],
) -> None:
    names = [*asked, *(name for name in NAMES + patterns if name not in asked)]
    asyncio.run(_resumed_alike(redis_server, calls, names, back, limit, size))


async def _resumed_alike(
    server: RedisServer,
    calls: Sequence[tuple[list[str], float]],
    names: list[str],
    back: int,
    limit: int,
    size: int,
) -> None:
    redis_harness = RedisHarness(server)
    harnesses: list[Harness] = [MemoryHarness(), redis_harness]
    brokers = [
        harness.broker(history_size=size, history_seconds=10.5) for harness in harnesses
    ]
    for broker in brokers:
        await ear(broker, *PATTERNS)
    cursors = [[await broker.position() for broker in brokers]]
    for groups, seconds in calls:
        for broker in brokers:
            await publish(broker, *groups)
        cursors.append([await broker.position() for broker in brokers])
        for harness in harnesses:
            harness.advance(seconds)
    from_memory, from_redis = cursors[-1 - back :][0]
    seen = await _pages(brokers[1], from_redis, names, limit)
    # A page may end early, where one part of the names had too many events.
    sizes = [len(told) if more else limit for told, *_, more in seen]
    expected = await _pages(brokers[0], from_memory, names, limit, sizes)
    published = dict.fromkeys(group for groups, _ in calls for group in groups)
    for group in list(published)[:5]:
        kept, known = [await _history(broker, group, limit) for broker in brokers]
        assert known == kept
    for broker in brokers:
        await broker.close()
    await redis_harness.close()
    assert seen == expected
    assert limit > LEAST_EVENTS or set(sizes) == {limit}


async def _pages(
    broker: Broker,
    cursor: Position,
    names: list[str],
    limit: int,
    sizes: Sequence[int] = (),
) -> list[Any]:
    """Return all pages from a cursor on, the first ones of sizes, without epochs."""
    pages: list[Any] = []
    more = True
    while more:
        size = sizes[len(pages)] if len(pages) < len(sizes) else limit
        page = await broker.resume(cursor, names, size)
        told = [(one.position.seq, one.group, one.payload) for one in page.events]
        lost = set(page.lost)  # up to where may differ: it is read in parts
        pages.append((told, lost, page.position.seq, page.usable, page.more))
        cursor, more = page.position, page.more
    return pages


async def _history(broker: Broker, group: str, limit: int) -> list[Any]:
    """Return the first page of a group's history, without epochs."""
    page = await broker.history(group, limit)
    told = [(one.position.seq, one.group, one.payload) for one in page.events]
    return [told, page.position.seq, page.present.seq, page.usable, page.more]


async def test_many_names_are_resumed_whole_while_others_publish(
    broker: RedisBroker,
) -> None:
    # So long that others are served between the parts of one question.
    names = [name.ljust(MAX_NAME, "x") for name in NAMES]
    cursor = await broker.position()
    groups = [names[(n * 179) % len(names)] for n in range(4000)]

    def publishing() -> list[Position]:
        return [
            one.position
            for n in range(0, len(groups), 2)
            for one in broker.publish(drafts(*groups[n : n + 2]))
        ]

    publisher = asyncio.create_task(asyncio.to_thread(publishing))
    seen: list[Position] = []
    more = True
    while more or not publisher.done():
        done = publisher.done()
        page = await broker.resume(cursor, names, 50)
        assert not page.lost
        seen += [event.position for event in page.events]
        cursor, more = page.position, page.more or not done
    assert seen == await publisher


def test_what_is_lost_in_a_part_may_have_gone_on_by_the_time_of_the_last() -> None:
    early, late = Position("e", 10), Position("e", 20)
    pages = [
        Resumption(early, [], {"a": 9}, early, True, False),
        Resumption(late, [], {}, late, True, False),
    ]
    page = _joined(pages, ["a", "b"], LIMIT)
    assert (page.position, page.present) == (early, late)
    assert page.lost == {"a": 20}


async def test_the_newest_of_many_names_is_told(broker: RedisBroker) -> None:
    start = await broker.position()
    positions = await publish(broker, *NAMES)
    seqs = [position.seq for position in positions]
    newest = dict(zip(NAMES, seqs, strict=True))
    assert (await broker.resume(start, NAMES, LIMIT)).newest == newest
    unknown = Position("other", 1)
    assert (await broker.resume(unknown, NAMES, LIMIT)).newest == newest


async def test_nothing_is_the_newest_of_an_epoch_before(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker, "a.*")
    start, later = await publish(broker, "a.1", "a.1")
    assert (await broker.resume(start, ["a.1"], LIMIT)).newest == {"a.1": later.seq}
    await heard.feed.close()
    (known,) = client.scan_iter("*:m")
    client.delete(known)
    assert not (await broker.resume(start, ["a.1", "a.*"], LIMIT)).newest


def test_the_newest_of_parts_that_were_read_in_two_epochs_is_of_one() -> None:
    old, new = Position("old", 10), Position("new", 20)
    pages = [
        Resumption(old, [], {}, old, True, False, {"a": 9}),
        Resumption(new, [], {"b": 20}, new, False, False, {"b": 19}),
    ]
    page = _joined(pages, ["a", "b"], LIMIT)
    assert (page.present, page.newest) == (new, {"b": 19})


# History.


async def test_a_page_of_the_largest_payloads_is_read(broker: RedisBroker) -> None:
    start = await broker.position()
    payload = b'"' + b"x" * (MAX_PAYLOAD - 2) + b'"'
    for _ in range(20):
        await broker.apublish([draft("a", payload)] * 50)
    page = await broker.resume(start, ["a"], 1000)
    assert [len(event.payload) for event in page.events] == [MAX_PAYLOAD] * 1000
    assert not page.more


async def test_the_history_of_an_epoch_before_is_not_remembered(
    broker: RedisBroker, client: redis.Redis
) -> None:
    await publish(broker, "a", "a")
    (known,) = client.scan_iter("*:m")
    client.delete(known)
    assert not (await broker.history("a", LIMIT)).events
    (later,) = await publish(broker, "a")
    assert [one.position for one in (await broker.history("a", LIMIT)).events] == [
        later
    ]


async def test_nothing_stays_in_redis_of_groups_that_are_idle(
    new_broker: NewBroker, server: RedisServer, client: redis.Redis
) -> None:
    broker = new_broker(server, history_seconds=0.2, group_memory_seconds=0.4)
    heard = await ear(broker, "a.*")
    await heard.feed.close()
    await publish(broker, *[f"a.{n}" for n in range(50)])
    await broker.apublish(drafts("b"), Idempotency("key", "body"))
    keys = set(client.scan_iter())
    assert len(keys) > 100
    (hash,) = {key for key in keys if client.pttl(key) == -1}
    assert hash.endswith(b":m")
    (call,) = {key for key in keys if b":i:" in key}
    assert 290_000 < client.pttl(call) <= 300_000
    await until(lambda: set(client.scan_iter()) == {hash, call})


# What a server must be.


async def test_a_cluster_is_refused_in_one_line(
    new_broker: NewBroker, new_redis_server: NewRedisServer
) -> None:
    server = new_redis_server(["--cluster-enabled", "yes"])
    server.start()
    broker = new_broker(server)
    with pytest.raises(BrokerRefused, match=r"^Redis Cluster can't be used.*$"):
        await broker.check()
    feed = await broker.feed()
    with pytest.raises(BrokerUnavailable):
        await feed.subscribe(["a"])


@pytest.mark.parametrize(
    ("version", "refused"),
    [("6.0.16", True), ("5.0.14", True), ("6.2.0", False), ("10.0.0-rc1", False)],
)
async def test_a_server_that_is_too_old_is_refused(
    new_broker: NewBroker, version: str, refused: bool
) -> None:
    async with about(f"redis_version:{version}\r\nredis_mode:standalone\r\n") as url:
        broker = new_broker(url)
        if refused:
            with pytest.raises(BrokerRefused, match=f"{version} is too old"):
                await broker.check()
        else:
            await broker.check()
        await broker.close()


@asynccontextmanager
async def about(text: str) -> AsyncIterator[str]:
    """Yield the URL of something like Redis that says this of itself."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            length = int(line[1:])
            words = [await _bulk(reader) for _ in range(length)]
            if words[0] == b"INFO":
                writer.write(b"$%d\r\n%s\r\n" % (len(text), text.encode()))
            else:
                writer.write(b"+OK\r\n")
        writer.close()
        await writer.wait_closed()
        left.set()

    left = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    await left.wait()


async def _bulk(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]


async def test_a_server_that_may_evict_is_warned_of_once(
    new_broker: NewBroker,
    new_redis_server: NewRedisServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]
    server = new_redis_server(options)
    server.start()
    broker = new_broker(server)
    await asyncio.gather(broker.check(), broker.check(), ear(broker, "a"))
    await broker.check()
    warnings = [one.message for one in caplog.records if one.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "allkeys-lru" in warnings[0]


@pytest.mark.parametrize(
    "options",
    [
        ["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"],
        ["--maxmemory", "0", "--maxmemory-policy", "allkeys-lru"],
    ],
)
async def test_a_server_that_does_not_evict_is_not_warned_of(
    new_broker: NewBroker,
    new_redis_server: NewRedisServer,
    caplog: pytest.LogCaptureFixture,
    options: list[str],
) -> None:
    server = new_redis_server(options)
    server.start()
    await new_broker(server).check()
    assert not [one for one in caplog.records if one.levelname == "WARNING"]


async def test_a_server_that_says_nothing_of_itself_is_taken(
    new_broker: NewBroker, server: RedisServer, client: redis.Redis
) -> None:
    client.acl_setuser(
        "app",
        enabled=True,
        passwords="+secret",
        categories=["+@all"],
        commands=["-info"],
        keys=["*"],
        channels=["*"],
    )
    broker = new_broker(f"redis://app:secret@127.0.0.1:{server.port}/0")
    await broker.check()
    heard = await ear(broker, "a")
    await publish(broker, "a")
    assert not await heard.hears_nothing()


async def test_a_password_is_used(
    new_broker: NewBroker, new_redis_server: NewRedisServer
) -> None:
    server = new_redis_server(password="secret")
    server.start()
    await _works(new_broker(server))


async def test_tls_is_spoken(new_broker: NewBroker, tls_redis_url: str) -> None:
    await _works(new_broker(tls_redis_url))


async def _works(broker: RedisBroker) -> None:
    await broker.check()
    heard = await ear(broker, "a")
    start = await broker.position()
    await publish(broker, "a")
    await asyncio.to_thread(broker.publish, drafts("a"))
    await heard.take(2)
    assert len(await events(broker, start, "a")) == 2
