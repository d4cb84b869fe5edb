"""The logbook of a process: what it publishes, and what it is asked to do."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import pytest

from sse_components import wire
from sse_components.brokers.base import Idempotency, Published
from sse_components.brokers.memory import MemoryBroker
from sse_components.errors import BrokerUnavailable
from sse_components.events import Draft, Event, Position
from sse_components.hub import Hub
from sse_components.logbook import keeper as keeper_module
from sse_components.logbook import tracing
from sse_components.logbook.keeper import Keeper
from sse_components.logbook.names import CONTROL, PROCESSES, TAIL, process_log
from sse_components.logbook.statements import (
    Connection,
    Deliveries,
    Heard,
    Process,
    Progress,
    Reconnect,
    Statement,
    Trace,
)
from sse_components.logbook.tail import LONGEST
from sse_components.logbook.tail import MOST as MOST_HEARD
from sse_components.revocations import Whose
from sse_components.subscriber import Subscriber
from tests.transports import Recorder

S = TypeVar("S", bound=Statement)


class Broker(MemoryBroker):
    """May be away, which the embedded one never is."""

    away = False
    feeds_made = 0

    async def apublish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        if self.away:
            raise BrokerUnavailable("away")
        return await super().apublish(drafts, idempotency)


class World:
    def __init__(self) -> None:
        self.broker = Broker()
        self.hub = Hub(self.broker)
        self.keeper = Keeper(self.hub, self.broker, 300)

    async def open(
        self, *names: str, user: str | None = "7", name: str = "c1"
    ) -> tuple[Recorder, Subscriber]:
        transport = Recorder()
        whose = Whose(await self.broker.position(), user=user)
        subscriber = await self.hub.open(
            transport,
            names,
            None,
            lambda id: wire.keep_alive(id),
            whose,
            connection=name,
        )
        return transport, subscriber

    async def said(self, kind: type[S], group: str) -> list[S]:
        """Return what was said in a group so far."""
        events = (await self.broker.history(group, 1000)).events
        return [said for event in events if (said := kind.read(event))]


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(keeper_module, "SECOND", 0.02)
    world = World()
    await world.hub.start()
    world.keeper.start()
    yield world
    await world.hub.close()
    await world.keeper.close()


async def until(is_true: Callable[[], Any]) -> Any:
    async with asyncio.timeout(5):
        found = await is_true()
        while not found:
            await asyncio.sleep(0.01)
            found = await is_true()
    return found


async def test_a_process_says_how_it_is(world: World) -> None:
    await world.open("news")
    await world.open("news", "sport", user="8", name="c2")
    world.broker.publish([Draft("news", "test", b"1")])

    async def is_told() -> Process | None:
        found = await world.said(Process, PROCESSES)
        return next((one for one in found if one.deliveries == 2), None)

    said = await until(is_told)
    assert said.connections == {"sse": 2}
    assert said.users == 2
    assert said.groups == 2
    assert said.events == 1
    assert said.behind == 0
    assert not said.draining
    assert ":" in said.name
    assert abs(said.started - time.time()) < 60
    assert [one[:3] for one in said.newest] == [["c2", "8", "sse"], ["c1", "7", "sse"]]
    (progress, *_) = await world.said(Progress, process_log(said.process))
    assert progress.process == said.process
    assert progress.behind == {}
    (connection,) = await world.said(Connection, "console.user.8")
    assert connection.process == said.process


async def test_the_last_word_is_said_when_it_closes() -> None:
    world = World()
    await world.hub.start()
    world.keeper.start()
    await world.open("news")
    await world.hub.close()
    await world.keeper.close()
    said = await world.said(Connection, "console.user.7")
    assert said[-1].ended == "gone"


async def test_what_could_not_be_said_does_not_end_it(world: World) -> None:
    world.broker.away = True
    await world.open("news")
    before = await world.said(Process, PROCESSES)
    await asyncio.sleep(0.1)
    assert await world.said(Process, PROCESSES) == before
    world.broker.away = False

    async def is_told() -> object:
        return await world.said(Connection, "console.user.7")

    await until(is_told)


async def test_a_connection_is_told_to_come_back(world: World) -> None:
    transport, _ = await world.open("news")
    other, _ = await world.open("news", name="c2")
    world.broker.publish([Reconnect("c1").draft(CONTROL)])

    async def has_ended() -> bool:
        return transport.ended

    await until(has_ended)
    assert transport.types[-1] == "stream-close"
    assert not other.ended


async def test_each_frame_of_a_traced_user_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sse_components.trace")
    transport, _ = await world.open("news")
    await world.open("news", user="8", name="c2")
    world.broker.publish([Trace("7", time.time() + 60).draft(CONTROL)])
    await asyncio.sleep(0.1)
    late, _ = await world.open("news", name="c3")
    (published,) = world.broker.publish([Draft("news", "test", b'"hush"')])

    async def are_told() -> list[Deliveries]:
        found = await world.said(Deliveries, "console.trace.7")
        ids = [one[1] for said in found for one in said.deliveries if one[2] == "test"]
        return found if len(ids) == 2 else []

    found = await until(are_told)
    lines = {(said.connection, *one[1:4]) for said in found for one in said.deliveries}
    id = str(published.position)
    assert {("c1", id, "test", "news"), ("c3", id, "test", "news")} <= lines
    assert await world.said(Deliveries, "console.trace.8") == []
    assert f"user 7, c1 -> test news at {id}, " in caplog.text
    assert "hush" not in caplog.text
    assert "c2" not in caplog.text
    assert transport.types.count("test") == late.types.count("test") == 1
    world.broker.publish([Trace("7", 0).draft(CONTROL)])
    await asyncio.sleep(0.1)
    caplog.clear()
    world.broker.publish([Draft("news", "test", b"1")])
    await transport.until(lambda: transport.types.count("test") == 2)
    await asyncio.sleep(0.1)
    assert caplog.text == ""


async def test_of_too_many_frames_it_is_told_how_many(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "MOST", 5)
    monkeypatch.setattr(tracing, "AT_ONCE", 2)
    caplog.set_level(logging.INFO, "sse_components.trace")
    await world.open("news")
    world.broker.publish([Trace("7", time.time() + 60).draft(CONTROL)])
    await asyncio.sleep(0.1)
    ids = world.broker.publish([Draft("news", "test", b"1")] * 9)

    async def are_told() -> list[str]:
        found = await world.said(Deliveries, "console.trace.7")
        return [one[1] for said in found for one in said.deliveries if one[2] == "test"]

    assert await until(are_told) == [str(one.position) for one in ids[:5]]
    assert caplog.messages[-1] == "user 7, c1 -> 4 more frames"
    assert len(caplog.messages) == 6


async def test_a_trace_ends_by_itself(world: World) -> None:
    transport, subscriber = await world.open("news")
    world.broker.publish([Trace("7", time.time() + 1).draft(CONTROL)])

    async def is_traced() -> bool:
        return subscriber.transport is not transport

    async def is_over() -> bool:
        return subscriber.transport is transport

    await until(is_traced)
    await until(is_over)


async def test_what_was_handed_just_before_the_end_is_told_too(world: World) -> None:
    _, subscriber = await world.open("news")
    world.broker.publish([Trace("7", time.time() + 60).draft(CONTROL)])
    await asyncio.sleep(0.1)
    world.broker.away = True
    (published,) = world.broker.publish([Draft("news", "test", b"1")])
    await asyncio.sleep(0.05)
    await world.hub.leave(subscriber)
    await asyncio.sleep(0.05)
    world.broker.away = False

    async def is_told() -> bool:
        found = await world.said(Deliveries, "console.trace.7")
        ids = [one[1] for said in found for one in said.deliveries]
        return str(published.position) in ids

    await until(is_told)


async def test_a_deep_payload_can_be_traced(world: World) -> None:
    transport, _ = await world.open("news")
    world.broker.publish([Trace("7", time.time() + 60).draft(CONTROL)])
    await asyncio.sleep(0.1)
    world.broker.publish([Draft("news", "test", b"[" * 900 + b"]" * 900)])
    world.broker.publish([Draft("news", "test", b"1")])
    await transport.until(lambda: len(transport.written) >= 4)
    assert not transport.aborted


async def test_what_takes_much_room_is_shown_in_parts(world: World) -> None:
    transport, _ = await world.open(TAIL, user=None)
    await asyncio.sleep(0.1)
    type = "\x01" * 200
    world.broker.publish([Draft("news", type, b'"%b"' % (b"x" * 500))] * MOST_HEARD)
    await transport.until(lambda: transport.types.count("notify") >= 2)
    told = [one for one in transport.events if one["type"] == "notify"]
    shown = [line for one in told for line in one["payload"]["data"]["events"]]
    assert len(shown) == MOST_HEARD


async def test_a_process_that_starts_later_traces_too(world: World) -> None:
    world.broker.publish([Trace("7", time.time() + 60).draft(CONTROL)])
    await world.keeper.close()
    second = Keeper(world.hub, world.broker, 300)
    second.start()
    await asyncio.sleep(0.05)
    transport, subscriber = await world.open("news")
    assert subscriber.transport is not transport
    await second.close()


async def test_what_is_published_is_shown_to_who_looks(world: World) -> None:
    world.broker.publish([Draft("news", "test", b'"before"')])
    await world.open("demo.*", user=None)
    transport, _ = await world.open(TAIL, user=None, name="c2")
    await asyncio.sleep(0.1)
    (id,) = world.broker.publish(
        [Draft("demo.todo", "test", b'{"a": "\xc3\xa4"}', "tab.request")]
    )
    world.broker.publish([Draft("demo.long", "test", b'"%b"' % (b"x" * 5000))])
    await transport.until(lambda: "notify" in transport.types)
    (event,) = [one for one in transport.events if one["type"] == "notify"]
    assert event["payload"]["event_name"] == "console.heard"
    first, second = event["payload"]["data"]["events"]
    assert first == {
        "id": str(id.position),
        "ts": id.position.seq / 1e6,
        "group": "demo.todo",
        "type": "test",
        "sender": "tab.request",
        "size": 11,
        "payload": '{"a": "ä"}',
    }
    assert second["size"] == 5002
    assert len(second["payload"]) == LONGEST + 1
    assert second["payload"].endswith("x…")


async def test_of_too_much_it_is_shown_how_much(world: World) -> None:
    transport, _ = await world.open(TAIL, user=None)
    await asyncio.sleep(0.1)
    payload = b'"%b"' % ('"\\u00e4' * 2000).replace('"', '\\"').encode()
    world.broker.publish([Draft("news", "test", payload)] * (MOST_HEARD + 60))
    await transport.until(lambda: "notify" in transport.types)
    (event,) = [one for one in transport.events if one["type"] == "notify"]
    data = event["payload"]["data"]
    assert (len(data["events"]), data["more"]) == (MOST_HEARD, 60)


async def test_while_nobody_looks_nothing_is_published_twice(world: World) -> None:
    _, subscriber = await world.open(TAIL)
    await asyncio.sleep(0.1)
    await world.hub.leave(subscriber)
    await asyncio.sleep(0.1)
    world.broker.publish([Draft("news", "test", b"1")])
    await asyncio.sleep(0.5)
    assert await world.said(Heard, TAIL) == []


def test_what_is_something_else_is_no_statement() -> None:
    payload = json.dumps({"event_name": "console.trace", "data": {"user": "7"}})
    event = Event(Position("e", 1), CONTROL, "notify", payload.encode())
    assert Reconnect.read(event) is None
    other = Event(Position("e", 1), CONTROL, "test", b'["console.trace"]')
    assert Trace.read(other) is None
    older = json.dumps({"event_name": "console.trace", "data": {"user": "7"}}).encode()
    assert Trace.read(Event(Position("e", 1), CONTROL, "notify", older)) is None
    data = {"user": "7", "until": 1.5, "why": "newer"}
    newer = json.dumps({"event_name": "console.trace", "data": data}).encode()
    found = Trace.read(Event(Position("e", 1), CONTROL, "notify", newer))
    assert found == Trace("7", 1.5)
