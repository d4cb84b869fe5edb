"""The promise of a stream, under interleavings nobody would think of.

A world of one broker, two hubs over it (server A and B) and some clients is driven
by a list of steps. Clients do what a browser does: remember the last id, come back
with it, fetch the state again at a reset. Their connections can be cut after any
frame, and can stop to take any. In the end everything is let through, and then each
client must have had every event of its groups since its first cursor or its last
reset exactly once and in order.

The faults at the end are those that an engine like this is known to have; each must
be found.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sse_components import wire
from sse_components.brokers.base import Resumption
from sse_components.brokers.memory import MemoryBroker
from sse_components.events import Draft, Position, matches
from sse_components.hub import Hub
from sse_components.subscriber import Subscriber
from sse_components.wire import Frame

HISTORY_SECONDS = 60
MEMORY_SECONDS = 600
SUBSCRIPTIONS = [["a.1"], ["a.1", "b"], ["a.*"], ["a.*", "a.1", "b"], ["b", "a.2"]]
GROUPS = ["a.1", "a.2", "b"]
LARGE = b'"' + b"x" * 60_000 + b'"'
IDLE_TURNS = 12
"""Turns of the loop after which everything that can happen without I/O has."""


@dataclass
class Client:
    """A browser with one stream, and what it knows."""

    names: list[str]
    world: World
    cursor: Position
    received: list[Position] = field(default_factory=list)
    since: dict[str, int] = field(default_factory=dict)
    """Of each group: from which entry of the log on it must have been told."""
    deaf_after: int | None = None
    """How many more frames get through before the connection is cut."""
    open_door: asyncio.Event = field(default_factory=asyncio.Event)
    complete: bool = False
    faults: list[str] = field(default_factory=list)
    """Noted, not raised: the hub survives a connection that fails."""
    hub: Hub | None = None
    opening: asyncio.Task[Subscriber] | None = None

    def __post_init__(self) -> None:
        start = sum(1 for position, _ in self.world.log if self._knows(position))
        self.since = dict.fromkeys(self.names, start)
        self.open_door.set()

    async def write(self, frames: Sequence[Frame]) -> None:
        await self.open_door.wait()
        for frame in frames:
            if self.deaf_after == 0:
                return
            if self.deaf_after:
                self.deaf_after -= 1
            self.take(frame)

    async def end(self, frame: Frame) -> None:
        await self.write([frame])

    def abort(self) -> None:
        self.deaf_after = 0

    def take(self, frame: Frame) -> None:
        data = json.loads(frame.json)
        type, id = data["type"], data.get("id")
        if type == "stream-reset":
            for name in data["groups"]:
                self.check_reset(name)
                self.since[name] = len(self.world.log)
        elif type == "keep-alive":
            self.complete = id is not None
        elif type == "test":
            self.received.append(wire.parse_cursor(id))
        if id:
            position = wire.parse_cursor(id)
            same = position.epoch == self.cursor.epoch
            if same and position.seq < self.cursor.seq:
                self.faults.append("an id went back")
            self.cursor = position

    def check_reset(self, name: str) -> None:
        """A group that has missed nothing isn't reset, but for a new pattern."""
        broker = self.world.broker
        if name.endswith("*") or self.cursor.epoch != broker._epoch:
            return
        oldest = self.world.now - MEMORY_SECONDS * 1_000_000
        missed = [
            position
            for position, group in self.world.log
            if group == name and not self._knows(position)
        ]
        if not missed and self.cursor.seq >= oldest:
            self.faults.append(f"{name} was reset for nothing")

    def check(self) -> None:
        assert not self.faults
        assert self.complete, "never told that it is complete"
        assert len(set(self.received)) == len(self.received), "an event came twice"
        for name in self.names:
            wanted = [
                position
                for position, group in self.world.log[self.since[name] :]
                if matches(name, group)
            ]
            had = [position for position in self.received if position in set(wanted)]
            assert had == wanted, (
                f"{name}: {len(had)} of {len(wanted)}, or not in order"
            )

    def _knows(self, position: Position) -> bool:
        if position.epoch != self.cursor.epoch:
            return position.epoch in self.world.past_epochs
        return position.seq <= self.cursor.seq


@dataclass
class World:
    size: int
    make_broker: Callable[..., MemoryBroker]
    greet: Callable[[Hub, Position | None], Position | None]
    now: int = 1_763_799_845_000_000
    log: list[tuple[Position, str]] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    past_epochs: set[str] = field(default_factory=set)
    broker: MemoryBroker = field(init=False)
    hubs: list[Hub] = field(init=False)

    async def start(self) -> None:
        self.broker = self.make_broker(
            history_size=self.size,
            history_seconds=HISTORY_SECONDS,
            group_memory_seconds=MEMORY_SECONDS,
            clock=lambda: self.now,
        )
        self.hubs = [Hub(self.broker, keep_alive=3600) for _ in range(2)]
        for hub in self.hubs:
            await hub.start()

    async def stop(self) -> None:
        for client in self.clients:
            await self.cut(client)
        for hub in self.hubs:
            await hub.close()
        await self.broker.close()

    async def settle(self) -> None:
        for _ in range(IDLE_TURNS):
            await asyncio.sleep(0)

    async def step(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("publish", group, count, large):
                payload = LARGE if large else b"1"
                drafts = [Draft(group, "test", payload)] * count
                for one in self.broker.publish(drafts):
                    self.log.append((one.position, group))
            case ("advance", seconds):
                self.now += int(seconds * 1e6)
            case ("turn", turns):
                for _ in range(turns):
                    await asyncio.sleep(0)
            case ("watermark", server):
                await self.hubs[server]._feed.probe()
            case ("page", names, server):
                cursor = self.hubs[server].position
                self.clients.append(Client(names, self, cursor))
            case ("connect", which, server, frames):
                if client := self.client(which):
                    await self.cut(client)
                    self.connect(client, server, frames)
            case ("cut", which):
                if client := self.client(which):
                    await self.cut(client)
            case ("stall", which):
                if client := self.client(which):
                    client.open_door.clear()
            case ("go on", which):
                if client := self.client(which):
                    client.open_door.set()
            case ("restart",):
                await self.stop()
                self.past_epochs.add(self.broker._epoch)
                await self.start()

    def client(self, which: int) -> Client | None:
        return self.clients[which % len(self.clients)] if self.clients else None

    def connect(self, client: Client, server: int, frames: int | None) -> None:
        client.deaf_after = frames
        client.open_door.set()
        client.complete = False
        hub = self.hubs[server]

        def greeting(id: Position | None) -> Frame:
            return wire.stream_open(
                self.greet(hub, id),
                connection="",
                groups=client.names,
                denied=[],
                keep_alive=1,
                retry=1,
                expires=None,
            )

        client.hub = hub
        client.opening = asyncio.create_task(
            hub.open(client, client.names, client.cursor, greeting)
        )

    async def cut(self, client: Client) -> None:
        client.deaf_after = 0
        client.open_door.set()
        if client.opening and client.hub:
            await client.hub.leave(await client.opening)
            client.opening = None


async def _run(
    steps: list[tuple[Any, ...]],
    size: int,
    make_broker: Callable[..., MemoryBroker],
    greet: Callable[[Hub, Position | None], Position | None],
) -> None:
    world = World(size, make_broker, greet)
    await world.start()
    try:
        for step in steps:
            await world.step(step)
        for number, client in enumerate(world.clients):
            await world.cut(client)
            world.connect(client, number % 2, None)
        await world.settle()
        for client in world.clients:
            client.check()
    finally:
        await world.stop()


which = st.integers(0, 2)
server = st.integers(0, 1)
frames = st.one_of(st.none(), st.none(), st.integers(0, 6))
few_or_many = st.sampled_from([1, 1, 2, 5, 20])
publish = st.tuples(
    st.just("publish"), st.sampled_from(GROUPS), few_or_many, st.booleans()
)
turn = st.tuples(st.just("turn"), st.sampled_from([1, 2, 3, IDLE_TURNS]))
connect = st.tuples(st.just("connect"), which, server, frames)
seconds = st.sampled_from(
    [0.000001, 1, HISTORY_SECONDS / 2, HISTORY_SECONDS + 1, MEMORY_SECONDS + 1]
)
page = st.tuples(st.just("page"), st.sampled_from(SUBSCRIPTIONS), server)
weights: dict[st.SearchStrategy[tuple[Any, ...]], int] = {
    publish: 6,
    turn: 6,
    connect: 4,
    st.tuples(st.just("cut"), which): 1,
    st.tuples(st.just("stall"), which): 2,
    st.tuples(st.just("go on"), which): 1,
    st.tuples(st.just("advance"), seconds): 2,
    st.tuples(st.just("watermark"), server): 1,
    page: 1,
    st.tuples(st.just("restart")): 1,
}
step = st.sampled_from([one for one, weight in weights.items() for _ in range(weight)])
steps = st.builds(
    lambda pages, rest: [*pages, *rest],
    st.lists(page, min_size=1, max_size=3),
    st.lists(step.flatmap(lambda one: one), min_size=15, max_size=60),
)
size = st.sampled_from([0, 1, 3, 1000])


def _honest(hub: Hub, id: Position | None) -> Position | None:
    return id


# A57, A5, A6, A58
@pytest.mark.timeout(600)  # as much as it needs where coverage and a debug loop slow it
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(steps, size)
def test_every_event_comes_once_and_in_order_or_its_group_is_reset(
    steps: list[tuple[Any, ...]], size: int
) -> None:
    asyncio.run(_run(steps, size, MemoryBroker, _honest))


class _NoHistoryIsComplete(MemoryBroker):
    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        page = await super().resume(cursor, names, limit)
        return (
            replace(page, lost=frozenset()) if page.usable and not self._size else page
        )


class _ForgetsThatItForgot(MemoryBroker):
    def _oldest(self, now: int) -> int:
        return 0


class _NotGreaterButEqual(MemoryBroker):
    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        earlier = Position(cursor.epoch, cursor.seq - 1)
        page = await super().resume(earlier, names, limit)
        return page if page.usable else await super().resume(cursor, names, limit)


class _LosesAllOfAPage(MemoryBroker):
    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        page = await super().resume(cursor, names, limit)
        return replace(page, events=page.events[1:])


def _reset_whose_id_comes_first(hub: Hub, id: Position | None) -> Position | None:
    return id or hub.position


def _present_before_the_replay(hub: Hub, id: Position | None) -> Position | None:
    return hub.position if id and hub.position.seq > id.seq else id


# A57
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("make_broker", "greet"),
    [
        (_NoHistoryIsComplete, _honest),
        (_ForgetsThatItForgot, _honest),
        (_NotGreaterButEqual, _honest),
        (_LosesAllOfAPage, _honest),
        (MemoryBroker, _reset_whose_id_comes_first),
        (MemoryBroker, _present_before_the_replay),
    ],
)
def test_a_known_fault_is_found(
    make_broker: Callable[..., MemoryBroker],
    greet: Callable[[Hub, Position | None], Position | None],
) -> None:
    @settings(
        max_examples=3000,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(steps, size)
    def search(steps: list[tuple[Any, ...]], size: int) -> None:
        asyncio.run(_run(steps, size, make_broker, greet))

    with pytest.raises(AssertionError):
        search()
