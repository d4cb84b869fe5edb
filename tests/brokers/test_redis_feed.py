"""What a Redis feed promises when Redis, its memory or a connection goes away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
import redis
from redis.asyncio import Connection

from sse_components.brokers.base import (
    Announcement,
    Delivery,
    Feed,
    Interruption,
    Revocation,
    Watermark,
)
from sse_components.brokers.redis import RedisBroker
from sse_components.brokers.redis.calls import ANSWER_SECONDS
from sse_components.brokers.redis.feed import (
    MAX_HEARD,
    NAMES_PER_COMMAND,
    SUBSCRIBE_SECONDS,
)
from sse_components.errors import BrokerUnavailable
from sse_components.events import MAX_NAME
from tests.brokers.conftest import Ear, NewBroker, draft, drafts, ear, publish, until
from tests.brokers.faults import FaultyProxy
from tests.redis_servers import RedisServer

MANY = [f"{n}.".ljust(MAX_NAME, "x") for n in range(20 * NAMES_PER_COMMAND)]


@pytest.fixture
def broker(new_broker: NewBroker, server: RedisServer) -> RedisBroker:
    return new_broker(server)


@pytest.fixture
def doubtful(new_broker: NewBroker, proxy: FaultyProxy) -> RedisBroker:
    """The same broker, behind a proxy with faults."""
    return new_broker(f"redis://127.0.0.1:{proxy.port}/0", key_prefix="doubtful")


@pytest.fixture
def direct(new_broker: NewBroker, server: RedisServer) -> RedisBroker:
    """The broker of the doubtful one's events, without faults."""
    return new_broker(server, key_prefix="doubtful")


def deafen(client: redis.Redis) -> None:
    """End the connections of all feeds."""
    assert client.client_kill_filter(_type="pubsub")


def listeners(client: redis.Redis) -> list[int]:
    """Return how many channels each feed is sent."""
    return [int(one["sub"]) for one in client.client_list(_type="pubsub")]


def listeners_of_all(client: redis.Redis) -> list[int]:
    """Return how many patterns of channels each feed is sent."""
    return [int(one["psub"]) for one in client.client_list(_type="pubsub")]


async def interruption(heard: Ear) -> None:
    """Expect one, once what was announced before it is passed over."""
    async with asyncio.timeout(10):
        while not isinstance(await heard.next(), Interruption):
            pass


def names(announcements: Sequence[Announcement]) -> list[str]:
    """Return under which names events were announced; nothing else may be there."""
    deliveries = [one for one in announcements if isinstance(one, Delivery)]
    assert len(deliveries) == len(announcements)
    return [one.name for one in deliveries]


async def hears_again(heard: Ear, broker: RedisBroker) -> None:
    """Expect what an ear for `a.*` and `b` should hear."""
    start = await broker.position()
    positions = await publish(broker, "b", "a.1")
    assert names(await heard.take(2)) == ["b", "a.*"]
    page = await broker.resume(start, ["a.*", "b"], 10)
    assert [event.position for event in page.events] == positions
    assert not page.lost


# Connections that break.


async def test_a_lost_connection_is_an_interruption_and_all_is_heard_again(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker, "a.*", "b")
    for _ in range(3):
        deafen(client)
        assert isinstance(await heard.next(), Interruption)
        await hears_again(heard, broker)


async def test_what_was_published_in_between_comes_before_the_interruption_or_never(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker, "b")
    before, _ = await publish(broker, "b", "other")
    deafen(client)
    between = await publish(broker, "b")
    first, second = await heard.take(2)
    assert isinstance(first, Delivery)
    assert first.event.position == before
    assert isinstance(second, Interruption)
    page = await broker.resume(before, ["b"], 10)
    assert [event.position for event in page.events] == between


async def test_what_is_heard_too_early_comes_after_the_interruption(
    doubtful: RedisBroker,
    direct: RedisBroker,
    proxy: FaultyProxy,
    client: redis.Redis,
) -> None:
    heard = await ear(doubtful, "a.*", "b")
    proxy.answering.clear()  # so the feed can't find out the present
    deafen(client)
    await until(lambda: listeners(client) == [4])
    await direct.apublish([draft("b", b'"early"')])
    await proxy.passes(b'"early"')
    proxy.answering.set()
    assert isinstance(await heard.next(), Interruption)
    early = await heard.next()
    assert isinstance(early, Delivery)
    assert early.event.payload == b'"early"'
    await hears_again(heard, direct)


async def test_no_interruption_is_told_before_redis_has_confirmed_all_names(
    doubtful: RedisBroker,
    direct: RedisBroker,
    proxy: FaultyProxy,
    client: redis.Redis,
) -> None:
    heard = await ear(doubtful, "a.*", "b")
    proxy.listening.clear()
    proxy.heard_of_listeners.clear()
    deafen(client)
    await proxy.heard_of_listeners.wait()
    waiting = asyncio.create_task(heard.next())
    for _ in range(3):  # what the feed asked is answered by then
        await doubtful.position()
    assert not waiting.done()
    proxy.listening.set()
    assert isinstance(await waiting, Interruption)
    await hears_again(heard, direct)


async def test_many_names_are_heard_before_the_interruption_is_told(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker, *MANY)
    assert listeners(client) == [len(MANY) + 2]
    deafen(client)
    assert isinstance(await heard.next(), Interruption)
    assert listeners(client) == [len(MANY) + 2]
    some = MANY[::100] + MANY[-1:]
    await publish(broker, *some)
    assert names(await heard.take(len(some))) == some


# Between two commands Redis may confirm all names of the first.
async def test_names_of_several_commands_are_confirmed_together(
    broker: RedisBroker, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = MANY[: 2 * NAMES_PER_COMMAND]
    heard = await ear(broker, *some)
    send = Connection.send_command

    async def slow(*arguments: Any, **options: Any) -> None:
        await send(*arguments, **options)
        await asyncio.sleep(0.1)  # as where the connection is full

    monkeypatch.setattr(Connection, "send_command", slow)
    deafen(client)
    assert isinstance(await heard.next(), Interruption)
    assert listeners(client) == [len(some) + 2]


async def test_a_connection_that_is_open_and_dead_is_replaced(
    doubtful: RedisBroker,
    direct: RedisBroker,
    proxy: FaultyProxy,
) -> None:
    heard = await ear(doubtful, "a.*", "b")
    await heard.hears_nothing()
    proxy.mute_listeners()
    await publish(direct, "b")
    for _ in range(3):
        await heard.feed.probe()
    assert isinstance(await heard.next(), Interruption)
    await hears_again(heard, direct)


async def test_a_connection_that_is_dead_from_its_first_answer_on_is_replaced(
    doubtful: RedisBroker,
    direct: RedisBroker,
    proxy: FaultyProxy,
    client: redis.Redis,
) -> None:
    heard = await ear(doubtful, "a.*", "b")
    proxy.mutes_listeners = True
    deafen(client)
    await until(lambda: listeners(client) == [4])
    proxy.mutes_listeners = False
    for _ in range(3):
        await heard.feed.probe()
    assert isinstance(await heard.next(), Interruption)
    await hears_again(heard, direct)


async def test_a_connection_to_a_redis_that_does_not_even_greet_is_given_up(
    doubtful: RedisBroker,
    direct: RedisBroker,
    proxy: FaultyProxy,
    client: redis.Redis,
) -> None:
    heard = await ear(doubtful, "a.*", "b")
    proxy.mutes_new = True
    deafen(client)
    await proxy.muted.wait()
    proxy.mutes_new = False
    assert isinstance(await heard.next(2 * ANSWER_SECONDS), Interruption)
    await hears_again(heard, direct)


# Revocations, whatever names are heard.


@pytest.mark.parametrize("heard_names", [[], ["a.*", "b"]])
async def test_who_reads_them_at_each_interruption_misses_none(
    broker: RedisBroker, client: redis.Redis, heard_names: list[str]
) -> None:
    heard = await ear(broker, *heard_names)
    for n in range(3):
        deafen(client)
        between = await broker.arevoke(f"between {n}", "", 60)
        assert isinstance(await heard.next(), Interruption)
        noted = await broker.revocations()
        assert Revocation(between, f"between {n}", "") in noted
        after = await broker.arevoke(f"after {n}", "", 60)
        assert await heard.next() == Revocation(after, f"after {n}", "")


async def test_a_feed_without_names_says_that_redis_was_emptied(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker)
    client.flushall()
    revoked = await broker.arevoke("u", "", 60)
    assert isinstance(await heard.next(), Interruption)
    assert await heard.next() == Revocation(revoked, "u", "")


async def test_they_come_in_order_with_what_is_heard_too_early(
    doubtful: RedisBroker,
    direct: RedisBroker,
    proxy: FaultyProxy,
    client: redis.Redis,
) -> None:
    heard = await ear(doubtful, "b")
    proxy.answering.clear()  # so the feed can't find out the present
    deafen(client)
    await until(lambda: listeners(client) == [3])
    (before,) = await publish(direct, "b")
    revoked = await direct.arevoke("u", "early", 60)
    (after,) = await publish(direct, "b")
    await proxy.passes(str(after.seq).encode())
    proxy.answering.set()
    assert isinstance(await heard.next(), Interruption)
    one, two, three = await heard.take(3)
    assert two == Revocation(revoked, "u", "early")
    assert isinstance(one, Delivery)
    assert isinstance(three, Delivery)
    assert [one.event.position, three.event.position] == [before, after]


async def test_what_a_first_connection_heard_that_was_lost_is_not_told(
    doubtful: RedisBroker,
    direct: RedisBroker,
    proxy: FaultyProxy,
    client: redis.Redis,
) -> None:
    proxy.answering.clear()  # so the feed isn't whole
    heard = Ear(await doubtful.feed())
    await until(lambda: listeners(client) == [2])
    await direct.arevoke("u", "early", 60)
    await proxy.passes(b"early")
    deafen(client)
    await until(lambda: listeners(client) == [2])
    proxy.answering.set()
    await heard.feed.subscribe([])
    revoked = await direct.arevoke("u", "late", 60)
    assert await heard.next() == Revocation(revoked, "u", "late")


# All names.


async def ear_for_all(broker: RedisBroker, *patterns: str) -> Ear:
    feed = await broker.feed()
    await feed.subscribe_all()
    await feed.subscribe(patterns)
    return Ear(feed)


async def hears_all_again(heard: Ear, broker: RedisBroker) -> None:
    """Expect what an ear for all should hear that subscribed to `a.*`."""
    start = await broker.position()
    positions = await publish(broker, "b", "a.1")
    assert names(await heard.take(3)) == ["b", "a.1", "a.*"]
    page = await broker.resume(start, ["a.*", "b"], 10)
    assert [event.position for event in page.events] == positions
    assert not page.lost


async def test_all_is_heard_again_after_a_loss(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear_for_all(broker, "a.*")
    for _ in range(3):
        deafen(client)
        assert isinstance(await heard.next(), Interruption)
        await hears_all_again(heard, broker)
    client.flushall()
    await heard.feed.probe()
    assert isinstance(await heard.next(), Interruption)
    assert isinstance(await heard.next(), Watermark)
    await hears_all_again(heard, broker)


async def test_names_from_before_are_not_sent_twice_after_a_loss(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker, "a.*", "b")
    await heard.feed.subscribe_all()
    deafen(client)
    assert isinstance(await heard.next(), Interruption)
    assert listeners(client) == [2]
    await hears_all_again(heard, broker)


async def test_of_all_too_what_is_heard_too_early_comes_after_the_interruption(
    doubtful: RedisBroker,
    direct: RedisBroker,
    proxy: FaultyProxy,
    client: redis.Redis,
) -> None:
    heard = await ear_for_all(doubtful, "a.*")
    proxy.answering.clear()  # so the feed can't find out the present
    deafen(client)
    await until(lambda: listeners_of_all(client) == [1])
    await direct.apublish([draft("c", b'"early"')])
    await proxy.passes(b'"early"')
    proxy.answering.set()
    assert isinstance(await heard.next(), Interruption)
    assert names([await heard.next()]) == ["c"]
    await hears_all_again(heard, direct)


async def test_all_that_nobody_takes_becomes_an_interruption(
    broker: RedisBroker,
) -> None:
    lazy, keen = await ear_for_all(broker), await ear(broker, "a")
    for _ in range(MAX_HEARD // 500 + 1):
        await publish(broker, *["a"] * 500)
        await keen.take(500)
    await lazy.feed.probe()
    assert isinstance(await lazy.next(), Interruption)


@pytest.mark.parametrize("other", ["sse.a", "sse", "ss"])
async def test_nothing_is_heard_of_others_on_the_same_server(
    new_broker: NewBroker, server: RedisServer, other: str
) -> None:
    ours = new_broker(server, key_prefix="sse.")
    theirs = new_broker(server, key_prefix=other)
    heard = await ear_for_all(ours)
    await publish(theirs, "a")
    await theirs.arevoke("u", "", 60)
    await publish(ours, "b")
    assert names([await heard.next()]) == ["b"]
    assert await heard.hears_nothing()


async def test_a_prefix_is_taken_as_it_is_written(
    new_broker: NewBroker, server: RedisServer
) -> None:
    ours = new_broker(server, key_prefix=r"[s]\?*")
    theirs = new_broker(server, key_prefix=r"s\??")
    heard = await ear_for_all(ours)
    await publish(theirs, "a")
    await publish(ours, "b")
    assert names([await heard.next()]) == ["b"]


async def test_who_is_refused_to_hear_all_hears_what_it_heard_before(
    broker: RedisBroker, server: RedisServer
) -> None:
    heard = await ear(broker, "a.*", "b")
    server.pause()
    await _is_refused_all(heard.feed)
    server.go_on()
    await interruption(heard)
    await publish(broker, "c")
    await hears_again(heard, broker)


async def test_who_hears_all_and_is_refused_to_know_since_when_hears_it_no_more(
    doubtful: RedisBroker, direct: RedisBroker, proxy: FaultyProxy
) -> None:
    heard = await ear(doubtful, "a.*", "b")
    proxy.answering.clear()
    with pytest.raises(BrokerUnavailable):
        await heard.feed.subscribe_all()
    proxy.answering.set()
    await interruption(heard)
    await publish(direct, "c")
    await hears_again(heard, direct)


async def test_all_can_be_heard_later_if_redis_was_gone(
    broker: RedisBroker, server: RedisServer
) -> None:
    server.kill()
    feed = await broker.feed()
    await _is_refused_all(feed)
    server.start()
    async with asyncio.timeout(5):
        await feed.subscribe_all()
        await feed.subscribe(["a.*"])
    await hears_all_again(Ear(feed), broker)


async def test_who_is_refused_again_goes_on_to_hear_all(
    broker: RedisBroker, server: RedisServer
) -> None:
    heard = await ear_for_all(broker, "a.*")
    server.kill()
    await _is_refused_all(heard.feed)
    server.start()
    assert isinstance(await heard.next(), Interruption)
    await hears_all_again(heard, broker)


async def _is_refused_all(feed: Feed) -> None:
    start = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        await feed.subscribe_all()
    assert time.monotonic() - start < SUBSCRIBE_SECONDS + 0.5


# Memory that is lost.


async def test_a_probe_finds_out_that_redis_was_emptied(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker, "a.*", "b")
    client.flushall()
    await heard.feed.probe()
    assert isinstance(await heard.next(), Interruption)
    assert isinstance(await heard.next(), Watermark)
    await hears_again(heard, broker)


async def test_the_first_event_of_a_new_epoch_finds_it_out_too(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker, "a.*", "b")
    client.flushall()
    await publish(broker, "b")
    assert isinstance(await heard.next(), Interruption)
    assert names([await heard.next()]) == ["b"]
    await hears_again(heard, broker)


async def test_subscribing_to_another_name_finds_it_out_too(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker, "a.*", "b")
    client.flushall()
    await heard.feed.subscribe(["c"])
    assert isinstance(await heard.next(), Interruption)
    await hears_again(heard, broker)


async def test_a_redis_that_was_restarted_empty_is_heard_again(
    broker: RedisBroker, server: RedisServer
) -> None:
    heard = await ear(broker, "a.*", "b")
    server.kill()
    server.start()
    assert isinstance(await heard.next(), Interruption)
    await hears_again(heard, broker)


async def test_a_probe_while_not_connected_does_not_announce_that_all_is_heard(
    broker: RedisBroker, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    heard = await ear(broker, "a.*", "b")
    client.flushall()
    deafen(client)
    await until(lambda: "is not heard any more" in caplog.text)
    await heard.feed.probe()
    await interruption(heard)
    assert listeners(client) == [4]
    await hears_again(heard, broker)


# More than can be borne.


async def test_what_nobody_takes_becomes_an_interruption(
    broker: RedisBroker,
) -> None:
    lazy, keen = await ear(broker, "a"), await ear(broker, "a")
    published = MAX_HEARD + 5_000
    for _ in range(published // 500):
        positions = await publish(broker, *["a"] * 500)
        await keen.take(500)
    await lazy.feed.probe()
    assert isinstance(await lazy.next(), Interruption)
    kept: list[Announcement] = []
    while not isinstance(one := await lazy.next(), Watermark):
        kept.append(one)
    assert 0 < len(kept) < MAX_HEARD
    assert set(names(kept)) == {"a"}
    last = kept[-1]
    assert isinstance(last, Delivery)
    assert last.event.position == positions[-1]


# Names that can't be heard.


async def test_what_is_subscribed_while_redis_is_gone_is_refused_and_never_heard(
    broker: RedisBroker, server: RedisServer
) -> None:
    heard = await ear(broker, "b")
    server.kill()
    await _is_refused(heard.feed, ["c", "c.*"])
    server.start()
    assert isinstance(await heard.next(), Interruption)
    await publish(broker, "c", "c.1", "b")
    assert names([await heard.next()]) == ["b"]


async def test_what_is_subscribed_while_redis_is_silent_is_refused_and_never_heard(
    broker: RedisBroker, server: RedisServer
) -> None:
    heard = await ear(broker, "b")
    server.pause()
    await _is_refused(heard.feed, ["b", "c", "c.*"])
    server.go_on()
    await publish(broker, "c", "c.1", "b")
    assert names([await heard.next()]) == ["b"]


async def test_a_feed_that_began_without_redis_is_heard_once_it_is_there(
    broker: RedisBroker, server: RedisServer
) -> None:
    server.kill()
    feed = await broker.feed()
    await _is_refused(feed, ["b"])
    server.start()
    async with asyncio.timeout(5):
        await feed.subscribe(["a.*", "b"])
    await hears_again(Ear(feed), broker)


async def _is_refused(feed: Feed, names: list[str]) -> None:
    start = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        await feed.subscribe(names)
    assert time.monotonic() - start < SUBSCRIBE_SECONDS + 0.5


async def test_unsubscribing_reaches_redis(
    broker: RedisBroker, client: redis.Redis
) -> None:
    heard = await ear(broker, *MANY)
    await heard.feed.unsubscribe(MANY[1:])
    await until(lambda: listeners(client) == [3])
    deafen(client)
    assert isinstance(await heard.next(), Interruption)
    assert listeners(client) == [3]


# The end.


async def test_a_closed_feed_leaves_no_task_and_no_connection(
    broker: RedisBroker, client: redis.Redis
) -> None:
    before = asyncio.all_tasks()
    heard = await ear(broker, "a.*", "b")
    assert listeners(client) == [4]
    await heard.feed.close()
    assert asyncio.all_tasks() == before
    await until(lambda: not listeners(client))


async def test_a_feed_is_closed_while_redis_is_gone_or_coming_back(
    broker: RedisBroker, server: RedisServer, client: redis.Redis
) -> None:
    before = asyncio.all_tasks()
    gone, back = await ear(broker, "b"), await ear(broker, "b")
    server.kill()
    await asyncio.sleep(0)
    await gone.feed.close()
    server.start()
    await back.feed.close()
    assert asyncio.all_tasks() == before
    await publish(broker, "b")
    assert not listeners(client)
    assert await gone.ends()
    assert await back.ends()


async def test_a_closed_broker_leaves_nothing_at_all(
    broker: RedisBroker, client: redis.Redis
) -> None:
    before = asyncio.all_tasks()
    await ear(broker, "a.*", "b")
    await publish(broker, "b")
    await asyncio.to_thread(broker.publish, drafts("b"))
    await broker.close()
    assert asyncio.all_tasks() == before
    await until(lambda: len(client.client_list()) == 1)
