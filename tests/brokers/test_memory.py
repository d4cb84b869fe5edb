"""What only the embedded broker has: it must not grow."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from threading import Thread

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


async def test_groups_in_use_do_not_keep_idle_ones() -> None:
    harness = MemoryHarness()
    broker = harness.broker(history_seconds=10, group_memory_seconds=60)
    assert isinstance(broker, MemoryBroker)
    await publish(broker, "busy", "idle")
    for _ in range(7):
        harness.advance(10)
        await publish(broker, "busy")
    assert set(broker._groups) == {"busy"}
    assert set(broker._kept) == {"busy"}


async def test_unsubscribing_from_what_is_not_heard_renews_no_pattern() -> None:
    harness = MemoryHarness()
    broker = harness.broker(history_seconds=60, group_memory_seconds=60)
    assert isinstance(broker, MemoryBroker)
    heard = await ear(broker, "a.*")
    await heard.feed.unsubscribe(["a.*"])
    harness.advance(50)
    await heard.feed.unsubscribe(["a.*"])
    harness.advance(20)
    await publish(broker, "b")
    assert not broker._patterns


def test_a_feed_whose_loop_has_closed_is_let_go_and_harms_no_publisher() -> None:
    broker = MemoryBroker()
    asyncio.run(_ear_and_gone(broker))
    broker.publish([draft("a")])
    assert not broker._feeds
    assert not broker._hearers


async def _ear_and_gone(broker: MemoryBroker) -> None:
    await ear(broker, "a")


def test_threads_take_no_number_twice() -> None:
    broker = MemoryBroker(history_size=100_000)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            Thread(target=lambda: [broker.publish([draft("a")]) for _ in range(1000)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    seqs = [event.position.seq for event in broker._groups["a"].events]
    assert len(set(seqs)) == 8000
    assert seqs == sorted(seqs)
