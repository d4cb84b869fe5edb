"""What a process has to say of its connections, once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from sse_components import wire
from sse_components.brokers.memory import MemoryBroker
from sse_components.events import Draft, Event, Position
from sse_components.hub import Hub
from sse_components.logbook import log as log_module
from sse_components.logbook.log import LISTED, MOST, ConnectionLog
from sse_components.logbook.statements import Connection
from sse_components.revocations import Whose
from sse_components.subscriber import Subscriber
from tests.transports import Recorder

RESTATE = 100


class World:
    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.hub = Hub(self.broker)
        self.log = ConnectionLog("p1", RESTATE)
        self.hub.watcher = self.log
        self.now = time.time()

    async def open(
        self, *names: str, user: str | None = "7", denied: Sequence[str] = ()
    ) -> tuple[Recorder, Subscriber]:
        position = await self.broker.position()
        transport = Recorder()
        subscriber = await self.hub.open(
            transport,
            names,
            None,
            lambda id: wire.keep_alive(id),
            Whose(position, user=user),
            connection=f"c{len(self.log._open) + 1}",
            denied=denied,
        )
        return transport, subscriber

    def publish(self, group: str, count: int = 1, size: int = 0) -> list[Position]:
        drafts = [Draft(group, "test", b'"%b"' % (b"x" * size))] * count
        return [one.position for one in self.broker.publish(drafts)]

    def news(self, later: float = 0) -> list[Connection]:
        """Return what is new, as whoever reads it does."""
        return [_read(draft) for draft in self.log.news(self.now + later)]


def _read(draft: Draft) -> Connection:
    event = Event(Position("e", 1), draft.group, draft.type, draft.payload)
    statement = Connection.read(event)
    assert statement
    return statement


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.hub.start()
    yield world
    await world.hub.close()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_connection_is_told_of_once_and_then_when_it_is_due(
    world: World,
) -> None:
    _, subscriber = await world.open("news", "demo.*", denied=["secret"])
    (said,) = world.news()
    assert said.connection == "c1"
    assert said.process == "p1"
    assert said.transport == "sse"
    assert said.user == "7"
    assert abs(said.opened - time.time()) < 5
    assert said.groups == ["news", "demo.*"]
    assert said.denied == ["secret"]
    assert said.since == subscriber.since
    assert said.ended is None
    assert said.closed is None
    assert world.news() == []
    assert world.news(RESTATE - 1) == []
    (again,) = world.news(RESTATE)
    assert again.connection == "c1"


async def test_it_goes_to_the_log_of_its_user(world: World) -> None:
    await world.open("news")
    await world.open("news", user=None)
    groups = [draft.group for draft in world.log.news(world.now)]
    assert groups == ["console.user.7", "console.visitors"]


async def test_groups_that_come_and_go_are_told(world: World) -> None:
    _, subscriber = await world.open("news")
    world.news()
    world.publish("news")
    await settle()
    await world.hub.subscribe(subscriber, ["sport"], None, [])
    (said,) = world.news()
    assert said.groups == ["news", "sport"]
    assert said.since is not None
    assert said.since_of["sport"] > said.since
    await world.hub.unsubscribe(subscriber, ["news"], [])
    (said,) = world.news()
    assert said.groups == ["sport"]


async def test_a_reset_is_told(world: World) -> None:
    transport, subscriber = await world.open("news", "sport")
    world.news()
    transport.door.clear()
    ids = world.publish("news", 1500, 1000)
    await settle()
    assert world.log.progress(world.hub, world.now).behind == {"c1": subscriber.handed}
    transport.door.set()
    await transport.until(lambda: "stream-reset" in transport.types)
    (said,) = world.news()
    assert said.since_of["news"] >= ids[-1].seq


async def test_it_is_told_why_a_connection_ended(world: World) -> None:
    _, left = await world.open("news")
    await world.hub.leave(left)
    _, sent = await world.open("news")
    world.hub.send_away(sent)
    await world.hub.leave(sent)
    stuck_transport, stuck = await world.open("news")
    stuck_transport.door.clear()
    world.publish("news")
    await settle()
    stuck.stuck = True
    stuck.abort()
    await world.hub.leave(stuck)
    away_transport, away = await world.open("news")
    away_transport.door.clear()
    world.publish("news")
    await settle()
    away_transport.abort()
    await world.hub.leave(away)
    ends = [said.ended for said in world.news()]
    assert ends == ["gone", "rotated", "stuck", "gone"]
    assert world.news(RESTATE) == []


async def test_who_was_revoked_is_told_of_with_the_groups_that_they_had(
    world: World,
) -> None:
    transport, subscriber = await world.open("news")
    world.broker.revoke("user:7", "", 60)
    await settle()
    assert transport.types[-1] == "stream-error"
    await world.hub.leave(subscriber)
    (said,) = world.news()
    assert said.ended == "revoked"
    assert said.groups == ["news"]
    assert said.closed
    assert said.closed >= said.opened


async def test_those_who_have_everything_are_not_behind(world: World) -> None:
    transport, subscriber = await world.open("news")
    await world.open("sport")
    (first,) = world.publish("news")
    await settle()
    assert world.log.progress(world.hub, world.now).behind == {}
    transport.door.clear()
    (second, _) = world.publish("news", 2)
    await settle()
    world.publish("news")
    await settle()
    progress = world.log.progress(world.hub, world.now)
    assert progress.behind == {"c1": subscriber.handed}
    assert first.seq <= subscriber.handed < second.seq


async def test_a_connection_that_has_had_nothing_yet_is_behind(world: World) -> None:
    subscriber = Subscriber(Recorder(), world.hub, Whose(Position("e", 0)))
    world.log.came(subscriber, "c1", ())
    world.publish("news")
    await settle()
    assert world.log.progress(world.hub, world.now).behind == {"c1": 0}


async def test_of_very_many_that_are_behind_some_are_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "MOST_BEHIND", 2)
    for number in range(5):
        subscriber = Subscriber(Recorder(), world.hub, Whose(Position("e", 0)))
        world.log.came(subscriber, f"c{number}", ())
    world.publish("news")
    await settle()
    progress = world.log.progress(world.hub, world.now)
    assert progress.behind == {"c0": 0, "c1": 0}
    assert progress.more_behind == 3


async def test_many_are_told_of_bit_by_bit(world: World) -> None:
    for number in range(MOST + 10):
        subscriber = Subscriber(Recorder(), world.hub, Whose(Position("e", 0)))
        world.log.came(subscriber, f"c{number}", ())
    assert len(world.news()) == MOST
    assert len(world.news()) == 10
    assert world.news() == []


async def test_of_many_that_ended_the_oldest_are_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "MOST_ENDED", 3)
    log = ConnectionLog("p1", RESTATE)
    for number in range(5):
        subscriber = Subscriber(Recorder(), world.hub, Whose(Position("e", 0)))
        log.came(subscriber, f"c{number}", ())
        log.went(subscriber)
    said = [_read(draft) for draft in log.news(world.now)]
    assert [one.connection for one in said] == ["c2", "c3", "c4"]


async def test_a_connection_with_very_many_groups_is_told_of_with_some(
    world: World,
) -> None:
    names = [f"{'g' * 190}.{number}" for number in range(400)]
    await world.open(*names)
    (said,) = world.news()
    assert said.groups == names[:LISTED]
    assert said.more_groups == 400 - LISTED


async def test_the_newest_come_first(world: World) -> None:
    await world.open("news", user="1")
    await world.open("news", user=None)
    found: list[list[Any]] = world.log.newest()
    assert [[name, user, kind] for name, user, kind, _ in found] == [
        ["c2", None, "sse"],
        ["c1", "1", "sse"],
    ]


async def test_a_connection_that_is_asked_to_come_back_is_found_by_its_name(
    world: World,
) -> None:
    _, subscriber = await world.open("news")
    await world.open("news")
    assert world.log.asked("c1") is subscriber
    assert world.log.name_of(subscriber) == "c1"
    await world.hub.leave(subscriber)
    assert world.log.asked("c1") is None
    assert world.log.name_of(subscriber) == ""
    assert [said.ended for said in world.news()] == [None, "asked"]


async def test_what_is_unsaid_is_counted(world: World) -> None:
    _, subscriber = await world.open("news")
    await world.open("news")
    assert world.log.progress(world.hub, world.now).untold == 2
    world.news()
    assert world.log.progress(world.hub, world.now).untold == 0
    assert world.log.progress(world.hub, world.now, late=3).untold == 3
    await world.hub.leave(subscriber)
    assert world.log.progress(world.hub, world.now).untold == 1


async def test_what_is_asked_for_in_vain_later_is_told(world: World) -> None:
    _, subscriber = await world.open("news", denied=["secret"])
    world.news()
    world.hub.note_refusal(subscriber, ["plans", "secret"])
    (said,) = world.news()
    assert said.denied == ["secret", "plans"]
    assert world.news() == []


async def test_what_a_client_did_not_take_was_not_handed_over(world: World) -> None:
    transport, subscriber = await world.open("news")
    (first,) = world.publish("news")
    await settle()
    transport.door.clear()
    (second,) = world.publish("news")
    await settle()
    (said,) = world.news()
    assert first.seq <= said.handed < second.seq
    transport.door.set()
    await settle()
    assert subscriber.handed >= second.seq


async def test_what_a_revocation_dropped_was_not_handed_over(world: World) -> None:
    _, subscriber = await world.open("news")
    await settle()
    (event,) = world.publish("news")
    world.broker.revoke("user:7", "", 60)
    await settle()
    await world.hub.leave(subscriber)
    (said,) = world.news()
    assert said.ended == "revoked"
    assert said.handed < event.seq


async def test_of_a_group_that_is_new_only_what_is_before_it_was_handed_over(
    world: World,
) -> None:
    _, subscriber = await world.open("news")
    world.publish("news")
    await settle()
    since = subscriber.handed - 5
    subscriber.follow([], since)
    assert subscriber.handed == since
