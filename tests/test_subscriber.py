from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

import pytest

from sse_components import wire
from sse_components.events import Position
from sse_components.revocations import NOBODY
from sse_components.subscriber import MAX_PENDING, NEVER, Subscriber
from sse_components.wire import Frame
from tests.transports import Recorder

FAREWELL = wire.stream_close("shutdown", 500)


def _frame(seq: int, size: int = 0) -> Frame:
    return Frame("test", b'{"type":"test","id":"e:%d","x":"%b"}' % (seq, b"x" * size))


class Fixture:
    """A subscriber whose catching up is recorded, and then is done."""

    def __init__(self) -> None:
        self.transport = Recorder()
        self.caught_up_from: list[int] = []
        self.subscriber = Subscriber(self.transport, self, NOBODY)

    async def catch_up(self, subscriber: Subscriber) -> None:
        self.caught_up_from.append(subscriber.sent)
        subscriber.after = subscriber.sent + 1000
        subscriber.pending.append(wire.keep_alive(Position("e", subscriber.after)))

    def spread(self, names: Iterable[str]) -> int:
        return 5000

    async def live(self) -> Subscriber:
        await self.subscriber.run()
        self.transport.written.clear()
        self.transport.writes = 0
        return self.subscriber

    def push(self, seq: int, size: int = 0) -> None:
        """Do what the hub's fan-out does."""
        if seq <= self.subscriber.after:
            return
        frame = _frame(seq, size)
        self.subscriber.after = seq
        self.subscriber.pending.append(frame)
        self.subscriber.size += len(frame.sse)
        if self.subscriber.size > MAX_PENDING:
            self.subscriber.overflow()

    def flush(self) -> None:
        self.subscriber.flush(time.monotonic())


@pytest.fixture
async def fixture() -> Fixture:
    return Fixture()


async def _turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_it_begins_by_catching_up(fixture: Fixture) -> None:
    await fixture.subscriber.run()
    assert fixture.caught_up_from == [0]
    assert fixture.transport.types == ["keep-alive"]
    assert not fixture.subscriber.busy


async def test_a_flush_writes_all_that_is_pending_at_once_and_without_a_task(
    fixture: Fixture,
) -> None:
    await fixture.live()
    tasks = asyncio.all_tasks()
    fixture.push(2001)
    fixture.push(2002)
    fixture.flush()
    assert [e["id"] for e in fixture.transport.events] == ["e:2001", "e:2002"]
    assert fixture.transport.writes == 1
    assert fixture.subscriber.sent == 2002
    assert asyncio.all_tasks() == tasks


async def test_nothing_is_written_where_nothing_is_pending(fixture: Fixture) -> None:
    await fixture.live()
    fixture.flush()
    assert fixture.transport.writes == 0


async def test_what_comes_while_a_write_waits_follows_it_in_order(
    fixture: Fixture,
) -> None:
    await fixture.live()
    fixture.transport.door.clear()
    fixture.push(2001)
    fixture.flush()
    fixture.push(2002)
    fixture.flush()
    fixture.push(2003)
    fixture.flush()
    assert fixture.transport.written == []
    assert fixture.subscriber.busy
    fixture.transport.door.set()
    await _turns()
    ids = [e["id"] for e in fixture.transport.events]
    assert ids == ["e:2001", "e:2002", "e:2003"]
    assert fixture.transport.writes == 2
    assert not fixture.subscriber.busy


# A8
async def test_what_is_too_much_is_dropped_and_caught_up_from_what_was_sent(
    fixture: Fixture,
) -> None:
    await fixture.live()
    fixture.push(2001)
    fixture.flush()
    fixture.transport.door.clear()
    fixture.push(2002)
    fixture.flush()
    for seq in range(2003, 2013):
        fixture.push(seq, MAX_PENDING // 8)
        if fixture.subscriber.after == NEVER:
            break
        fixture.flush()
    assert fixture.subscriber.pending == []
    assert fixture.subscriber.size == 0
    fixture.transport.door.set()
    await _turns()
    assert fixture.caught_up_from == [0, 2002]
    assert fixture.transport.types == ["test", "test", "keep-alive"]
    assert fixture.subscriber.after == 3002


async def test_too_much_in_one_turn_is_caught_up_too(fixture: Fixture) -> None:
    await fixture.live()
    sent = fixture.subscriber.sent
    fixture.push(2001, MAX_PENDING)
    fixture.flush()
    await _turns()
    assert fixture.caught_up_from == [0, sent]


async def test_the_end_comes_after_what_is_pending(fixture: Fixture) -> None:
    await fixture.live()
    fixture.push(2001)
    fixture.subscriber.end(FAREWELL)
    assert fixture.transport.types == ["test", "stream-close"]
    assert fixture.transport.ended


async def test_what_is_owed_at_the_end_says_over_how_long_to_fetch(
    fixture: Fixture,
) -> None:
    subscriber = await fixture.live()
    subscriber.owed = frozenset({"a"})
    subscriber.end(FAREWELL)
    reset, _ = fixture.transport.events
    assert (reset["groups"], reset["spread"]) == (["a"], 5000)


async def test_the_end_waits_for_a_write_that_is_under_way(fixture: Fixture) -> None:
    await fixture.live()
    fixture.transport.door.clear()
    fixture.push(2001)
    fixture.flush()
    fixture.subscriber.end(FAREWELL)
    fixture.push(2002)
    assert not fixture.transport.ended
    fixture.transport.door.set()
    await _turns()
    assert fixture.transport.types == ["test", "test", "stream-close"]


async def test_it_ends_once(fixture: Fixture) -> None:
    await fixture.live()
    fixture.subscriber.end(FAREWELL)
    fixture.subscriber.end(wire.stream_close("busy", 500))
    fixture.push(2001)
    fixture.flush()
    await _turns()
    assert fixture.transport.types == ["stream-close"]


async def test_an_end_before_the_beginning_is_written_instead_of_catching_up(
    fixture: Fixture,
) -> None:
    fixture.subscriber.end(FAREWELL)
    await fixture.subscriber.run()
    assert fixture.transport.types == ["stream-close"]
    assert fixture.caught_up_from == []


@pytest.mark.parametrize("waits", [True, False])
async def test_a_client_that_has_gone_ends_it_silently(
    fixture: Fixture, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await fixture.live()
    if waits:
        fixture.transport.door.clear()
    fixture.transport.error = OSError()
    fixture.push(2001)
    fixture.flush()
    fixture.transport.door.set()
    await _turns()
    assert fixture.subscriber.ended
    assert not caplog.records


@pytest.mark.parametrize("waits", [True, False])
async def test_a_transport_that_fails_is_cut_and_logged_and_fails_nobody(
    fixture: Fixture, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await fixture.live()
    if waits:
        fixture.transport.door.clear()
    fixture.transport.error = RuntimeError("a fault of the server")
    fixture.push(2001)
    fixture.flush()
    fixture.transport.door.set()
    await _turns()
    assert fixture.subscriber.ended
    assert fixture.transport.aborted
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_closing_it_cancels_a_write_that_waits(fixture: Fixture) -> None:
    await fixture.live()
    fixture.transport.door.clear()
    fixture.push(2001)
    fixture.flush()
    await fixture.subscriber.close()
    fixture.transport.door.set()
    await _turns()
    assert fixture.transport.written == []


async def test_the_first_keep_alive_is_due_after_a_second_then_after_silence(
    fixture: Fixture,
) -> None:
    subscriber = await fixture.live()
    now = time.monotonic()
    assert not subscriber.claim_keep_alive(now, 15)
    fixture.push(2001)
    subscriber.flush(now + 0.9)
    assert subscriber.claim_keep_alive(now + 1.1, 15)
    subscriber.flush(now + 1.1)
    assert not subscriber.claim_keep_alive(now + 2.2, 15)
    assert not subscriber.claim_keep_alive(now + 15.8, 15)
    assert subscriber.claim_keep_alive(now + 16.2, 15)


async def test_no_keep_alive_is_due_while_something_is_written_or_pending(
    fixture: Fixture,
) -> None:
    subscriber = await fixture.live()
    later = time.monotonic() + 100
    fixture.push(2001)
    assert not subscriber.claim_keep_alive(later, 15)
    fixture.transport.door.clear()
    fixture.flush()
    assert not subscriber.claim_keep_alive(later, 15)


async def test_it_is_stuck_when_one_write_takes_too_long(fixture: Fixture) -> None:
    subscriber = await fixture.live()
    fixture.transport.door.clear()
    fixture.push(2001)
    now = time.monotonic()
    subscriber.flush(now)
    assert not subscriber.is_stuck(now + 29, 30)
    assert subscriber.is_stuck(now + 31, 30)
    fixture.transport.door.set()
    await _turns()
    assert not subscriber.is_stuck(now + 1000, 30)


async def test_what_has_been_written_counts_no_more(fixture: Fixture) -> None:
    await fixture.live()
    for seq in range(2001, 2021):
        fixture.push(seq, MAX_PENDING // 8)
        fixture.flush()
    await _turns()
    assert fixture.caught_up_from == [0]


async def test_waiting_for_a_broker_is_not_being_stuck(fixture: Fixture) -> None:
    subscriber = fixture.subscriber
    assert subscriber.busy
    assert not subscriber.is_stuck(time.monotonic() + 100, 30)
