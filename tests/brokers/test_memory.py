"""What only the embedded broker has: it must not grow."""

from __future__ import annotations

import asyncio
import gc
import weakref

from sse_components.brokers.memory import MAX_DESERTED, MemoryBroker, MemoryFeed
from tests.brokers.conftest import MemoryHarness, draft, ear, publish


async def test_events_are_let_go_when_they_are_too_old_even_if_nobody_asks() -> None:
    harness = MemoryHarness()
    broker = harness.broker(history_seconds=10)
    payload = b'{"n":1}' + b" " * 100
    broker.publish([draft(f"a.{n}", payload) for n in range(100)])
    assert _holders(payload) >= 100
    harness.advance(11)
    await publish(broker, "b")
    assert _holders(payload) < 5


async def test_groups_are_let_go_when_they_are_too_old() -> None:
    harness = MemoryHarness()
    broker = harness.broker(history_seconds=10, group_memory_seconds=60)
    assert isinstance(broker, MemoryBroker)
    await publish(broker, *[f"a.{n}" for n in range(100)])
    harness.advance(61)
    await publish(broker, "b")
    assert set(broker._groups) == {"b"}
    assert set(broker._kept) == {"b"}


async def test_a_closed_feed_is_let_go() -> None:
    broker = MemoryBroker()
    heard = await ear(broker, "a", "a.*")
    feed = heard.feed
    assert isinstance(feed, MemoryFeed)
    reference = weakref.ref(feed)
    await feed.close()
    del feed, heard
    gc.collect()
    assert reference() is None
    assert not broker._hearers


async def test_what_a_thread_publishes_wakes_the_loop_once() -> None:
    broker = MemoryBroker()
    heard = await ear(broker, "a")
    await asyncio.to_thread(broker.publish, [draft("a")] * 50)
    await heard.next()
    assert len(heard._heard) == 49


def _holders(payload: bytes) -> int:
    gc.collect()
    return len(gc.get_referrers(payload))


async def test_patterns_that_nobody_is_subscribed_to_do_not_pile_up() -> None:
    broker = MemoryBroker()
    feed = await broker.feed()
    for n in range(3):
        names = [f"a.{n}.{m}.*" for m in range(MAX_DESERTED)]
        await feed.subscribe(names)
        await feed.unsubscribe(names)
    assert len(broker._patterns) == MAX_DESERTED
    await publish(broker, "a.2.0.x")
    start = await broker.position()
    assert (await broker.resume(start, ["a.0.0.*"], 1)).lost
