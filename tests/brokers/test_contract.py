"""One test for every sentence of `brokers/base.py`.

Those of revocations and presence have modules of their own.
"""

from __future__ import annotations

import asyncio
from threading import Thread

import pytest

from sse_components.brokers.base import (
    Broker,
    Delivery,
    Idempotency,
    Revocation,
    Watermark,
)
from sse_components.errors import IdempotencyConflict, InvalidGroup
from sse_components.events import Position
from tests.brokers.conftest import NOW, Ear, Harness, draft, drafts, ear, publish

LIMIT = 100


# Numbers.


async def test_an_event_is_numbered_by_the_time(
    harness: Harness, broker: Broker
) -> None:
    harness.advance(2)
    (position,) = await publish(broker, "news.updates")
    assert position.seq == NOW + 2_000_000


async def test_events_of_one_microsecond_follow_each_other(broker: Broker) -> None:
    first, second, third = await publish(broker, "a", "b", "a")
    assert [second.seq, third.seq] == [first.seq + 1, first.seq + 2]


async def test_a_clock_that_goes_back_takes_no_number_twice(
    harness: Harness, broker: Broker
) -> None:
    (first,) = await publish(broker, "a")
    harness.advance(-60)
    (second,) = await publish(broker, "a")
    assert second.seq == first.seq + 1


async def test_two_brokers_have_different_epochs(harness: Harness) -> None:
    one, other = harness.broker(), harness.broker()
    assert (await one.position()).epoch != (await other.position()).epoch


async def test_every_event_comes_after_the_present(broker: Broker) -> None:
    present = await broker.position()
    (position,) = await publish(broker, "a")
    assert position.epoch == present.epoch
    assert position.seq > present.seq


async def test_the_present_moves_with_the_time(
    harness: Harness, broker: Broker
) -> None:
    await publish(broker, "a")
    harness.advance(3600)
    assert (await broker.position()).seq == NOW + 3_600_000_000


# Publishing.


async def test_any_thread_may_publish(broker: Broker) -> None:
    heard = await ear(broker, "a")
    threads = [
        Thread(target=lambda: [broker.publish([draft("a")]) for _ in range(100)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    announcements = await heard.take(400)
    for thread in threads:
        thread.join()
    seqs = [a.event.position.seq for a in announcements if isinstance(a, Delivery)]
    assert len(set(seqs)) == 400
    assert seqs == sorted(seqs)


async def test_a_call_publishes_in_its_order(broker: Broker) -> None:
    start = await broker.position()
    positions = await publish(broker, "b", "a", "b")
    page = await broker.resume(start, ["a", "b"], LIMIT)
    assert [event.position for event in page.events] == positions
    assert [event.group for event in page.events] == ["b", "a", "b"]


async def test_a_call_with_nothing_publishes_nothing(broker: Broker) -> None:
    assert await broker.apublish([]) == []


async def test_what_was_published_is_given_back_whole(broker: Broker) -> None:
    start = await broker.position()
    payload = '{"text":"Grüße 日本 \\n"}'.encode()
    (published,) = await broker.apublish([draft("a", payload, "my.type")])
    (event,) = (await broker.resume(start, ["a"], LIMIT)).events
    assert event.payload == payload
    assert (event.type, event.group, event.sender) == ("my.type", "a", None)
    assert event.position == published.position


# Idempotency.


async def test_a_repeated_call_publishes_nothing(broker: Broker) -> None:
    start = await broker.position()
    key = Idempotency("key", "body")
    first = await broker.apublish(drafts("a", "b"), key)
    again = await broker.apublish(drafts("a", "b"), key)
    assert [one.position for one in again] == [one.position for one in first]
    assert [one.duplicate for one in first + again] == [False, False, True, True]
    assert len((await broker.resume(start, ["a", "b"], LIMIT)).events) == 2


async def test_a_repeated_call_that_published_nothing_does_so_again(
    broker: Broker,
) -> None:
    key = Idempotency("key", "body")
    assert await broker.apublish([], key) == []
    assert await broker.apublish([], key) == []


async def test_a_key_with_another_body_is_refused_and_publishes_nothing(
    broker: Broker,
) -> None:
    await broker.apublish(drafts("a"), Idempotency("key", "body"))
    start = await broker.position()
    with pytest.raises(IdempotencyConflict):
        await broker.apublish(drafts("a"), Idempotency("key", "other"))
    assert not (await broker.resume(start, ["a"], LIMIT)).events


@pytest.mark.parametrize(("seconds", "duplicate"), [(299, True), (301, False)])
async def test_a_key_is_known_for_five_minutes(
    harness: Harness, broker: Broker, seconds: int, duplicate: bool
) -> None:
    key = Idempotency("key", "body")
    await broker.apublish(drafts("a"), key)
    harness.advance(seconds)
    (again,) = await broker.apublish(drafts("a"), key)
    assert again.duplicate == duplicate


async def test_calls_with_the_same_key_at_once_publish_once(broker: Broker) -> None:
    key = Idempotency("key", "body")
    calls = [broker.apublish(drafts("a"), key) for _ in range(10)]
    results = [one for (one,) in await asyncio.gather(*calls)]
    assert len({one.position for one in results}) == 1
    assert sorted(one.duplicate for one in results) == [False] + [True] * 9


# Resuming.


async def test_what_came_after_a_cursor_is_returned_ascending(broker: Broker) -> None:
    positions = await publish(broker, "a", "b", "other", "a", "b")
    page = await broker.resume(positions[0], ["b", "a"], LIMIT)
    assert [event.position for event in page.events] == [
        positions[1],
        positions[3],
        positions[4],
    ]
    assert (page.lost, page.usable, page.more) == ({}, True, False)
    assert page.position.seq >= positions[4].seq


async def test_the_event_at_the_cursor_is_not_returned(broker: Broker) -> None:
    (position,) = await publish(broker, "a")
    assert not (await broker.resume(position, ["a"], LIMIT)).events


async def test_nothing_missed_is_nothing_lost(broker: Broker) -> None:
    (position,) = await publish(broker, "a")
    page = await broker.resume(position, ["a", "never.published"], LIMIT)
    assert (list(page.events), page.lost, page.usable) == ([], {}, True)


async def test_a_long_history_comes_in_pages(broker: Broker) -> None:
    start = cursor = await broker.position()
    positions = await publish(broker, *["a", "b"] * 25)
    seen, more = [], True
    while more:
        page = await broker.resume(cursor, ["a", "b"], 7)
        assert len(page.events) <= 7
        seen += [event.position for event in page.events]
        cursor, more = page.position, page.more
    assert seen == positions
    assert cursor.seq >= positions[-1].seq > start.seq


async def test_a_page_that_is_just_full_is_the_last(broker: Broker) -> None:
    start = await broker.position()
    await publish(broker, "a", "a", "a")
    assert not (await broker.resume(start, ["a"], 3)).more


async def test_a_cursor_of_another_epoch_loses_all(broker: Broker) -> None:
    await publish(broker, "a")
    page = await broker.resume(Position("other", NOW), ["a", "b"], LIMIT)
    assert not page.usable
    assert page.lost.keys() == {"a", "b"}
    assert not page.events
    assert page.position == await broker.position()


async def test_a_cursor_from_the_future_loses_all(broker: Broker) -> None:
    present = await broker.position()
    future = Position(present.epoch, present.seq + 1)
    page = await broker.resume(future, ["a"], LIMIT)
    assert not page.usable
    assert page.lost.keys() == {"a"}


@pytest.mark.parametrize(("seconds", "usable"), [(86_399, True), (86_401, False)])
async def test_a_cursor_is_usable_as_long_as_groups_are_remembered(
    harness: Harness, broker: Broker, seconds: int, usable: bool
) -> None:
    present = await broker.position()
    harness.advance(seconds)
    assert (await broker.resume(present, ["a"], LIMIT)).usable == usable


@pytest.mark.parametrize("later", [True, False])
async def test_a_forgotten_group_is_lost_with_and_without_a_later_event(
    harness: Harness, later: bool
) -> None:
    broker = harness.broker(history_seconds=10, group_memory_seconds=60)
    start = await broker.position()
    await publish(broker, "a")
    harness.advance(61)
    if later:
        await publish(broker, "a")
    page = await broker.resume(start, ["a", "b"], LIMIT)
    assert not page.usable
    assert page.lost.keys() == {"a", "b"}


async def test_a_history_keeps_the_last_events_only(harness: Harness) -> None:
    broker = harness.broker(history_size=2)
    start = await broker.position()
    first, second, third = await publish(broker, "a", "a", "a")
    assert (await broker.resume(start, ["a"], LIMIT)).lost.keys() == {"a"}
    page = await broker.resume(first, ["a"], LIMIT)
    assert [event.position for event in page.events] == [second, third]
    assert not page.lost


async def test_a_history_keeps_events_for_a_time_only(harness: Harness) -> None:
    broker = harness.broker(history_seconds=10)
    start = await broker.position()
    (first,) = await publish(broker, "a")
    harness.advance(8)
    (second,) = await publish(broker, "a")
    harness.advance(8)
    assert (await broker.resume(start, ["a"], LIMIT)).lost.keys() == {"a"}
    page = await broker.resume(first, ["a"], LIMIT)
    assert [event.position for event in page.events] == [second]
    harness.advance(8)
    assert (await broker.resume(first, ["a"], LIMIT)).lost.keys() == {"a"}
    assert not (await broker.resume(second, ["a"], LIMIT)).lost


async def test_without_a_history_whatever_was_missed_is_lost(harness: Harness) -> None:
    broker = harness.broker(history_size=0)
    start = await broker.position()
    (position,) = await publish(broker, "a")
    assert (await broker.resume(start, ["a"], LIMIT)).lost.keys() == {"a"}
    assert not (await broker.resume(position, ["a"], LIMIT)).lost


async def test_what_is_lost_is_told_with_the_newest_of_it(harness: Harness) -> None:
    broker = harness.broker(history_size=1)
    await ear(broker, "a.*")
    start = await broker.position()
    *_, newest, _ = await publish(broker, "a.1", "a.1", "b")
    page = await broker.resume(start, ["a.1", "a.*", "b", "c.*"], LIMIT)
    assert page.lost["a.1"] == page.lost["a.*"] == newest.seq
    assert page.lost["c.*"] >= newest.seq  # it isn't noted, so nobody knows


async def test_one_group_is_lost_alone(harness: Harness) -> None:
    broker = harness.broker(history_size=1)
    start = await broker.position()
    *_, kept = await publish(broker, "a", "a", "b")
    page = await broker.resume(start, ["a", "b"], LIMIT)
    assert page.usable
    assert page.lost.keys() == {"a"}
    assert [event.position for event in page.events] == [kept]


async def test_the_newest_of_each_name_is_told_with_a_page(harness: Harness) -> None:
    broker = harness.broker(history_size=1)
    await ear(broker, "a.*")
    start = await broker.position()
    one, two, three, _ = await publish(broker, "b", "a.1", "a.2", "c")
    page = await broker.resume(start, ["a.*", "a.1", "b", "never.published"], LIMIT)
    assert page.newest == {"a.*": three.seq, "a.1": two.seq, "b": one.seq}
    assert page.lost.keys() == {"a.*"}


async def test_the_newest_is_told_whatever_of_it_is_on_the_page(broker: Broker) -> None:
    start = await broker.position()
    positions = await publish(broker, "a", "b", "a")
    newest = {"a": positions[2].seq, "b": positions[1].seq}
    assert (await broker.resume(start, ["a", "b"], 1)).newest == newest
    assert (await broker.resume(positions[2], ["a", "b"], 1)).newest == newest


async def test_the_newest_is_told_to_a_cursor_that_is_unusable(broker: Broker) -> None:
    feed = await broker.feed()
    present = await feed.subscribe(["c.*"])
    positions = await publish(broker, "a")
    names = ["a", "b", "c.*", "d.*"]
    page = await broker.resume(Position("other", NOW), names, LIMIT)
    assert not page.usable
    assert page.newest == {"a": positions[0].seq, "c.*": present.seq}


@pytest.mark.parametrize("name", ["a.1", "a.*"])
@pytest.mark.parametrize("before", [0, 2])
async def test_the_newest_is_what_the_next_event_has_for_its_previous(
    broker: Broker, name: str, before: int
) -> None:
    heard = await ear(broker, name)
    start = await broker.position()
    await publish(broker, *["a.1"] * before)
    await heard.take(before)
    page = await broker.resume(start, [name], LIMIT)
    await publish(broker, "b", "a.1")
    announcement = await heard.next()
    assert isinstance(announcement, Delivery)
    assert announcement.previous == page.newest.get(name, 0)


async def test_nothing_is_the_newest_of_a_pattern_that_is_not_noted(
    harness: Harness,
) -> None:
    broker = harness.broker(history_seconds=60, group_memory_seconds=60)
    heard = await ear(broker, "a.*")
    await publish(broker, "a.1")
    cursor = await broker.position()
    assert "a.*" in (await broker.resume(cursor, ["a.*"], LIMIT)).newest
    await heard.feed.unsubscribe(["a.*"])
    harness.advance(70)
    cursor = await broker.position()
    assert not (await broker.resume(cursor, ["a.*"], LIMIT)).newest


# History.


async def test_a_history_is_the_events_of_its_group_the_oldest_first(
    broker: Broker,
) -> None:
    positions = await publish(broker, "a", "b", "a", "a.b", "a")
    page = await broker.history("a", LIMIT)
    assert [event.position for event in page.events] == positions[::2]
    assert {event.group for event in page.events} == {"a"}
    assert (page.lost, page.usable, page.more) == ({}, True, False)
    assert page.position == page.present == await broker.position()


async def test_a_history_has_events_whole(broker: Broker) -> None:
    payload = '{"text":"Grüße 日本 \\n","n":1.10}'.encode()
    await broker.apublish([draft("a", payload, "my.type")])
    (event,) = (await broker.history("a", LIMIT)).events
    assert (event.type, event.payload, event.sender) == ("my.type", payload, None)


async def test_what_follows_a_part_of_a_history_is_resumed(broker: Broker) -> None:
    positions = await publish(broker, *["a", "b"] * 10)
    page = await broker.history("a", 3)
    seen = [event.position for event in page.events]
    assert page.more
    assert page.position == seen[-1]
    rest = await broker.resume(page.position, ["a"], LIMIT)
    assert not rest.lost
    assert seen + [event.position for event in rest.events] == positions[::2]


async def test_a_history_that_is_just_full_is_all(broker: Broker) -> None:
    await publish(broker, "a", "a", "a")
    page = await broker.history("a", 3)
    assert (len(page.events), page.more) == (3, False)
    assert page.position == page.present


async def test_a_group_that_nobody_published_to_has_an_empty_history(
    broker: Broker,
) -> None:
    page = await broker.history("a", LIMIT)
    assert (list(page.events), page.lost, page.more) == ([], {}, False)
    assert page.position == page.present == await broker.position()


async def test_a_history_has_only_what_is_remembered(harness: Harness) -> None:
    broker = harness.broker(history_size=2, history_seconds=10)
    await publish(broker, "a")
    harness.advance(4)
    _, second, third = await publish(broker, "a", "a", "a")
    page = await broker.history("a", LIMIT)
    assert [event.position for event in page.events] == [second, third]
    assert not page.lost
    harness.advance(8)
    (fourth,) = await publish(broker, "a")
    harness.advance(8)
    page = await broker.history("a", LIMIT)
    assert [event.position for event in page.events] == [fourth]
    harness.advance(8)
    page = await broker.history("a", LIMIT)
    assert (list(page.events), page.lost) == ([], {})


async def test_without_a_history_nothing_is_remembered(harness: Harness) -> None:
    broker = harness.broker(history_size=0)
    await publish(broker, "a")
    assert not (await broker.history("a", LIMIT)).events


@pytest.mark.parametrize("name", ["a.*", "*", "", "a b", "a\n"])
async def test_what_is_no_group_has_no_history(broker: Broker, name: str) -> None:
    with pytest.raises(InvalidGroup):
        await broker.history(name, LIMIT)


# Feeds.


async def test_a_feed_hears_the_names_it_is_subscribed_to(broker: Broker) -> None:
    heard = await ear(broker, "a", "b")
    _, second, third = await publish(broker, "other", "b", "a")
    one, two = await heard.take(2)
    assert isinstance(one, Delivery)
    assert isinstance(two, Delivery)
    assert (one.name, one.event.position) == ("b", second)
    assert (two.name, two.event.position) == ("a", third)


async def test_two_feeds_hear_the_same(broker: Broker) -> None:
    one, other = await ear(broker, "a"), await ear(broker, "a")
    await publish(broker, "a", "a")
    assert await one.take(2) == await other.take(2)


async def test_everything_after_the_present_of_a_subscription_is_heard(
    broker: Broker,
) -> None:
    feed_ear = await ear(broker)
    before = await publish(broker, "a")
    present = await feed_ear.feed.subscribe(["a"])
    after = await publish(broker, "a")
    announcement = await feed_ear.next()
    assert isinstance(announcement, Delivery)
    assert before[0].seq <= present.seq < after[0].seq
    assert announcement.event.position == after[0]


async def test_a_feed_stops_to_hear_what_it_unsubscribes(broker: Broker) -> None:
    heard = await ear(broker, "a", "b")
    await heard.feed.unsubscribe(["a", "never.subscribed"])
    await publish(broker, "a")
    assert await heard.hears_nothing()


async def test_a_feed_hears_all_names_there_are(broker: Broker) -> None:
    await ear(broker, "a.*")
    heard = Ear(await broker.feed())
    await publish(broker, "a.1")
    present = await heard.feed.subscribe_all()
    positions = await publish(broker, "b", "a.1", "c.1")
    announcements = await heard.take(4)
    told = [(a.name, a.event.position) for a in announcements if type(a) is Delivery]
    one, two, three = positions
    assert told == [("b", one), ("a.1", two), ("a.*", two), ("c.1", three)]
    assert [a.previous for a in announcements if type(a) is Delivery][1] > 0
    assert present.seq < one.seq
    revoked = await broker.arevoke("u", "", 60)
    assert await heard.next() == Revocation(revoked, "u", "")
    assert await heard.hears_nothing()


async def test_hearing_all_notes_no_pattern(broker: Broker) -> None:
    start = await broker.position()
    heard = Ear(await broker.feed())
    await heard.feed.subscribe_all()
    await publish(broker, "a.1")
    (announcement,) = await heard.take(1)
    assert isinstance(announcement, Delivery)
    assert announcement.name == "a.1"
    assert await heard.hears_nothing()
    assert (await broker.resume(start, ["a.*"], LIMIT)).lost


@pytest.mark.parametrize("first", [True, False])
async def test_who_hears_all_and_subscribes_to_names_hears_nothing_twice(
    broker: Broker, first: bool
) -> None:
    heard = Ear(await broker.feed())
    if first:
        await heard.feed.subscribe_all()
    before = await broker.position()
    assert (await heard.feed.subscribe(["a.*", "a.1", "b"])).seq >= before.seq
    if not first:
        await heard.feed.subscribe_all()
    for _ in range(2):
        await publish(broker, "a.1", "b", "c")
        announcements = await heard.take(4)
        names = [one.name for one in announcements if isinstance(one, Delivery)]
        assert names == ["a.1", "a.*", "b", "c"]
        assert await heard.hears_nothing()
        await heard.feed.unsubscribe(["a.1", "b"])  # which changes nothing
        await heard.feed.subscribe_all()  # nor does this


async def test_who_hears_all_keeps_the_patterns_noted_that_it_subscribes_to(
    harness: Harness,
) -> None:
    broker = harness.broker(history_seconds=60, group_memory_seconds=60)
    heard = Ear(await broker.feed())
    await heard.feed.subscribe_all()
    cursor = await heard.feed.subscribe(["a.*"])
    for _ in range(3):
        assert await heard.hears_nothing()
        harness.advance(50)
        cursor = await broker.position()
        assert await heard.hears_nothing()
    (position,) = await publish(broker, "a.1")
    await heard.take(2)
    (event,) = (await broker.resume(cursor, ["a.*"], LIMIT)).events
    assert event.position == position
    await heard.feed.unsubscribe(["a.*"])
    harness.advance(70)
    await publish(broker, "a.1")
    await heard.take(1)
    assert await heard.hears_nothing()


async def test_a_feed_that_hears_all_ends_when_it_is_closed(broker: Broker) -> None:
    heard = Ear(await broker.feed())
    await heard.feed.subscribe_all()
    await heard.feed.close()
    await publish(broker, "a")
    assert await heard.ends()


async def test_an_event_tells_the_one_before_it_under_its_name(broker: Broker) -> None:
    heard = await ear(broker, "a")
    first, _, third = await publish(broker, "a", "b", "a")
    one, two = await heard.take(2)
    assert isinstance(one, Delivery)
    assert isinstance(two, Delivery)
    assert (one.previous, two.previous) == (0, first.seq)
    assert two.event.position == third


async def test_a_watermark_stands_behind_all_that_was_announced(
    broker: Broker,
) -> None:
    heard = await ear(broker, "a")
    (position,) = await publish(broker, "a")
    await heard.feed.probe()
    delivery, watermark = await heard.take(2)
    assert isinstance(delivery, Delivery)
    assert isinstance(watermark, Watermark)
    assert watermark.position.seq >= position.seq
    (later,) = await publish(broker, "a")
    assert later.seq > watermark.position.seq


async def test_a_closed_feed_ends(broker: Broker) -> None:
    heard = await ear(broker, "a")
    await heard.feed.close()
    assert await heard.ends()


async def test_a_closed_broker_ends_its_feeds(broker: Broker) -> None:
    heard = await ear(broker, "a")
    await broker.close()
    assert await heard.ends()


# Patterns.


# A61
async def test_a_pattern_hears_what_its_groups_hear(broker: Broker) -> None:
    heard = await ear(broker, "demo.todo.*")
    names = ["demo.todo.7", "demo.todo", "demo.todo.7.notes", "demo.todo.8"]
    first, *_, last = await publish(broker, *names)
    one, two = await heard.take(2)
    assert isinstance(one, Delivery)
    assert isinstance(two, Delivery)
    assert [one.name, two.name] == ["demo.todo.*"] * 2
    assert [one.event.position, two.event.position] == [first, last]
    assert [one.event.group, two.event.group] == ["demo.todo.7", "demo.todo.8"]
    assert two.previous == first.seq
    assert await heard.hears_nothing()


async def test_an_event_under_two_names_is_announced_twice_in_a_row(
    broker: Broker,
) -> None:
    heard = await ear(broker, "a.*", "a.1")
    await publish(broker, "a.1", "a.1")
    announcements = await heard.take(4)
    seqs = [a.event.position.seq for a in announcements if isinstance(a, Delivery)]
    assert seqs[0] == seqs[1] < seqs[2] == seqs[3]


# A61
async def test_an_event_under_two_names_is_resumed_once(broker: Broker) -> None:
    await ear(broker, "a.*")
    start = await broker.position()
    positions = await publish(broker, "a.1", "a.2", "a.1")
    page = await broker.resume(start, ["a.*", "a.1"], LIMIT)
    assert [event.position for event in page.events] == positions


async def test_a_pattern_has_lost_what_came_before_it_was_noted(
    broker: Broker,
) -> None:
    start = await broker.position()
    await publish(broker, "a.1")
    assert (await broker.resume(start, ["a.*"], LIMIT)).lost.keys() == {"a.*"}
    feed = await broker.feed()
    present = await feed.subscribe(["a.*"])
    assert (await broker.resume(start, ["a.*"], LIMIT)).lost.keys() == {"a.*"}
    assert not (await broker.resume(present, ["a.*"], LIMIT)).lost


@pytest.mark.parametrize(("seconds", "lost"), [(50, False), (70, True)])
async def test_a_pattern_is_noted_as_long_as_groups_are_remembered(
    harness: Harness, seconds: float, lost: bool
) -> None:
    broker = harness.broker(history_seconds=60, group_memory_seconds=60)
    heard = await ear(broker, "a.*")
    await heard.feed.unsubscribe(["a.*"])
    harness.advance(seconds)
    (cursor,) = await publish(broker, "a.1")
    await publish(broker, "a.2")
    page = await broker.resume(cursor, ["a.*"], LIMIT)
    assert page.usable
    assert bool(page.lost) == lost


async def test_a_pattern_with_a_subscriber_is_never_forgotten(
    harness: Harness,
) -> None:
    broker = harness.broker(history_seconds=60, group_memory_seconds=60)
    heard = await ear(broker, "a.*")
    for _ in range(3):
        harness.advance(50)
        await publish(broker, "b")
        assert await heard.hears_nothing()  # it is probed every few seconds
    cursor = await broker.position()
    (position,) = await publish(broker, "a.1")
    (event,) = (await broker.resume(cursor, ["a.*"], LIMIT)).events
    assert event.position == position
    assert isinstance(await heard.next(), Delivery)


@pytest.mark.parametrize(("seconds", "lost"), [(50, False), (70, True)])
async def test_a_pattern_can_be_noted_without_a_feed(
    harness: Harness, seconds: float, lost: bool
) -> None:
    broker = harness.broker(history_seconds=60, group_memory_seconds=60)
    noted = await broker.note(["a.*", "b.*"])
    assert noted == await broker.position()
    harness.advance(seconds)
    (cursor,) = await publish(broker, "a.1")
    (position,) = await publish(broker, "a.2")
    page = await broker.resume(cursor, ["a.*"], LIMIT)
    assert bool(page.lost) == lost
    assert [event.position for event in page.events] == [position] * (not lost)


async def test_a_pattern_that_is_noted_again_stays_noted(harness: Harness) -> None:
    broker = harness.broker(history_seconds=60, group_memory_seconds=60)
    for _ in range(3):
        await broker.note(["a.*"])
        harness.advance(50)
        await publish(broker, "b")
    cursor = await broker.position()
    (position,) = await publish(broker, "a.1")
    page = await broker.resume(cursor, ["a.*"], LIMIT)
    assert [event.position for event in page.events] == [position]


async def test_to_note_a_pattern_that_somebody_hears_changes_nothing(
    harness: Harness,
) -> None:
    broker = harness.broker(history_seconds=60, group_memory_seconds=60)
    heard = await ear(broker, "a.*")
    await broker.note(["a.*"])
    for _ in range(2):
        harness.advance(50)
        await publish(broker, "b")
        assert await heard.hears_nothing()
    cursor = await broker.position()
    (position,) = await publish(broker, "a.1")
    page = await broker.resume(cursor, ["a.*"], LIMIT)
    assert [event.position for event in page.events] == [position]


async def test_a_second_feed_of_a_pattern_loses_nothing(
    harness: Harness, broker: Broker
) -> None:
    await ear(broker, "a.*")
    cursor = await broker.position()
    harness.advance(1)
    positions = await publish(broker, "a.1")
    await ear(broker, "a.*")
    page = await broker.resume(cursor, ["a.*"], LIMIT)
    assert [event.position for event in page.events] == positions


async def test_a_pattern_that_is_subscribed_to_again_is_not_forgotten(
    harness: Harness,
) -> None:
    broker = harness.broker(history_seconds=60, group_memory_seconds=60)
    heard = await ear(broker, "a.*")
    await heard.feed.unsubscribe(["a.*"])
    await heard.feed.subscribe(["a.*"])
    for _ in range(2):
        harness.advance(35)
        assert await heard.hears_nothing()
    await publish(broker, "b", "a.1")
    assert isinstance(await heard.next(), Delivery)


async def test_what_was_forgotten_stays_forgotten_when_the_clock_goes_back(
    harness: Harness,
) -> None:
    broker = harness.broker(history_seconds=10, group_memory_seconds=60)
    cursor = await broker.position()
    await publish(broker, "a")
    harness.advance(61)
    await publish(broker, "b")
    harness.advance(-61)
    assert (await broker.resume(cursor, ["a"], LIMIT)).lost.keys() == {"a"}


async def test_the_present_is_told_with_every_page(broker: Broker) -> None:
    start = await broker.position()
    positions = await publish(broker, "a", "a", "a")
    page = await broker.resume(start, ["a"], 1)
    assert page.position == positions[0]
    assert page.present.seq >= positions[-1].seq


async def test_a_thread_wakes_a_feed_that_waits(broker: Broker) -> None:
    heard = await ear(broker, "a")
    waiting = asyncio.create_task(heard.next())
    await asyncio.sleep(0)
    await asyncio.to_thread(broker.publish, [draft("a")])
    assert isinstance(await asyncio.wait_for(waiting, 5), Delivery)
