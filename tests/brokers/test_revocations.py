"""One test for every sentence on revocations in `brokers/base.py`."""

from __future__ import annotations

import asyncio

import pytest

from sse_components.brokers.base import Broker, Delivery, Revocation, Watermark
from tests.brokers.conftest import NOW, Ear, Harness, ear, publish


async def test_a_revocation_takes_a_position_as_an_event_does(
    harness: Harness, broker: Broker
) -> None:
    await broker.position()
    first = await broker.arevoke("user:7", "", 60)
    (event,) = await publish(broker, "a")
    second = await broker.arevoke("user:7", "chat.*", 60)
    harness.advance(1)
    third = broker.revoke("user:8", "", 60)
    seqs = [one.seq for one in (first, event, second, third)]
    assert seqs == [NOW + 1, NOW + 2, NOW + 3, NOW + 1_000_000]
    assert first.epoch == event.epoch


async def test_it_is_announced_on_every_feed_in_the_order_of_positions(
    broker: Broker,
) -> None:
    ears = [await ear(broker, "a"), await ear(broker, "a", "b"), await ear(broker)]
    (before,) = await publish(broker, "a")
    revoked = await broker.arevoke("user:7", "chat.*", 60)
    (after,) = await publish(broker, "a")
    for heard in ears[:2]:
        one, two, three = await heard.take(3)
        assert isinstance(one, Delivery)
        assert isinstance(three, Delivery)
        assert two == Revocation(revoked, "user:7", "chat.*")
        assert [one.event.position, three.event.position] == [before, after]
    assert await ears[2].next() == Revocation(revoked, "user:7", "chat.*")
    assert await ears[2].hears_nothing()


async def test_a_feed_without_names_hears_it_after_the_first_watermark(
    broker: Broker,
) -> None:
    heard = Ear(await broker.feed())
    waiting = asyncio.create_task(heard.next())
    while not waiting.done():
        await heard.feed.probe()  # which comes to nothing before Redis is heard
        await asyncio.sleep(0.01)
    assert isinstance(await waiting, Watermark)
    revoked = await broker.arevoke("user:7", "", 60)
    while isinstance(announced := await heard.next(), Watermark):
        pass
    assert announced == Revocation(revoked, "user:7", "")


async def test_a_thread_revokes_too(broker: Broker) -> None:
    heard = await ear(broker)
    waiting = asyncio.create_task(heard.next())
    await asyncio.sleep(0)
    revoked = await asyncio.to_thread(broker.revoke, "user:7", "", 60)
    assert await waiting == Revocation(revoked, "user:7", "")


async def test_what_is_noted_is_returned_with_its_position(broker: Broker) -> None:
    assert list(await broker.revocations()) == []
    one = await broker.arevoke("user:7", "", 60)
    other = await broker.arevoke("user:7", "chat.*", 60)
    third = await broker.arevoke('Ü"\\ 日本/', "chat.**", 60)
    assert set(await broker.revocations()) == {
        Revocation(one, "user:7", ""),
        Revocation(other, "user:7", "chat.*"),
        Revocation(third, 'Ü"\\ 日本/', "chat.**"),
    }


async def test_a_later_one_takes_the_place_of_the_one_before(broker: Broker) -> None:
    await broker.arevoke("user:7", "chat.*", 60)
    later = await broker.arevoke("user:7", "chat.*", 60)
    assert list(await broker.revocations()) == [Revocation(later, "user:7", "chat.*")]


@pytest.mark.parametrize(("seconds", "noted"), [(59, True), (61, False)])
async def test_it_is_noted_for_its_time(
    harness: Harness, broker: Broker, seconds: int, noted: bool
) -> None:
    await broker.arevoke("user:7", "", 60)
    await broker.arevoke("user:8", "", 600)
    harness.advance(seconds)
    subjects = {one.subject for one in await broker.revocations()}
    assert subjects == {"user:7", "user:8"} if noted else subjects == {"user:8"}


@pytest.mark.parametrize("seconds", [1, 100])
async def test_a_later_one_does_not_end_before_the_one_before_would_have(
    harness: Harness, broker: Broker, seconds: int
) -> None:
    await broker.arevoke("user:7", "", 60)
    later = await broker.arevoke("user:7", "", seconds)
    harness.advance(max(59, seconds - 1))
    assert list(await broker.revocations()) == [Revocation(later, "user:7", "")]
    harness.advance(2)
    assert list(await broker.revocations()) == []


async def test_one_that_is_over_can_be_made_again(
    harness: Harness, broker: Broker
) -> None:
    await broker.arevoke("user:7", "", 60)
    harness.advance(61)
    again = await broker.arevoke("user:7", "", 60)
    assert list(await broker.revocations()) == [Revocation(again, "user:7", "")]


@pytest.mark.parametrize(
    ("subject", "pattern"),
    [("a\nb", ""), ("a", "b\n"), ("a\0b", ""), ("a", "\0"), ("\ud800", "")],
)
async def test_texts_that_are_no_line_are_refused(
    broker: Broker, subject: str, pattern: str
) -> None:
    heard = await ear(broker)
    with pytest.raises(ValueError):
        broker.revoke(subject, pattern, 60)
    with pytest.raises(ValueError):
        await broker.arevoke(subject, pattern, 60)
    assert list(await broker.revocations()) == []
    assert await heard.hears_nothing()
