"""The promise of a stream, under interleavings nobody would think of.

A world of one broker, two hubs over it (server A and B) and some clients is driven
by a list of steps. Clients do what a browser does: remember the last id, come back
with it, fetch the state again at a reset. Their connections can be cut after any
frame, and can stop to take any. In the end everything is let through, and then each
client must have had every event of its groups since its first cursor or its last
reset exactly once and in order.

The broker is the embedded one, whose feeds are interrupted too, or a real Redis that
loses its memory and its connections while streams are open, with a broker object for
each server as in two processes.

Streams whose groups change while they go on have tests of their own, so that what holds
for the others is looked at as strictly as before.

The faults at the end are those that an engine like this is known to have; each must
be found.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pytest
import redis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sse_components import hearing, replay, wire
from sse_components.brokers.base import Broker, Feed, Interruption, Resumption
from sse_components.brokers.memory import MemoryBroker, MemoryFeed
from sse_components.brokers.redis import RedisBroker
from sse_components.errors import BrokerUnavailable
from sse_components.events import Draft, Position, matches
from sse_components.hub import Hub
from sse_components.replay import Replay
from sse_components.subscriber import NEVER, Subscriber
from sse_components.wire import Frame
from tests.brokers.conftest import CLOCK
from tests.redis_servers import RedisServer

HISTORY_SECONDS = 60
MEMORY_SECONDS = 600
SUBSCRIPTIONS = [["a.1"], ["a.1", "b"], ["a.*"], ["a.*", "a.1", "b"], ["b", "a.2"]]
GROUPS = ["a.1", "a.2", "b"]
LARGE = b'"' + b"x" * 60_000 + b'"'
EXAMPLES = int(os.environ.get("EXAMPLES", "500"))
EXAMPLES_OF_CHANGES = EXAMPLES * 3 // 20
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
"""Not `explain`, which traces every line."""
if "CI" not in os.environ:  # where nobody waits for shorter steps that fail as well
    PHASES += [Phase.shrink]
LONGEST_SECONDS = 30
"""What one run may take; nearly all take a hundredth of a second."""
IDLE_TURNS = 12
"""Turns of the loop after which everything that can happen without I/O has."""

# Whether lines were reached says less here than anywhere, and takes half of the time.
pytestmark = [pytest.mark.timeout(EXAMPLES), pytest.mark.no_cover]


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

    def write_now(self, frames: Sequence[Frame]) -> bool:
        if not self.open_door.is_set() or len(frames) % 2:  # on either way
            return False
        self._pass(frames)
        return True

    async def write(self, frames: Sequence[Frame]) -> None:
        await self.open_door.wait()
        self._pass(frames)

    def _pass(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if self.deaf_after == 0:
                return
            if self.deaf_after:
                self.deaf_after -= 1
            self.take(frame)

    async def end(self, frame: Frame) -> None:
        await self.write([frame])

    def connected(self) -> None:
        """Note that it asks for a stream."""
        self.complete = False

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
            self.received.append(wire.parse_position(id))
        if id:
            position = wire.parse_position(id)
            same = position.epoch == self.cursor.epoch
            if same and position.seq < self.cursor.seq:
                self.faults.append("an id went back")
            self.cursor = position

    def check_reset(self, name: str) -> None:
        """A group that has missed nothing isn't reset, but for a new pattern."""
        if name.endswith("*") or self.cursor.epoch != self.world.epoch:
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
        assert not self.faults, self.faults
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
class Term:
    """A client's having a group. Numbers are of entries of the log."""

    since: int
    """From which on it must have been told."""
    least: int
    """From which on it may be told on this connection, at the earliest."""
    sure: int
    """From which on it surely is. In between, only the server knows."""
    had: set[int] = field(default_factory=set)
    again: set[int] = field(default_factory=set)
    """What it has had and gets once more, because it came back with an old cursor."""
    spare: set[int] = field(default_factory=set)
    """What it may be told once more."""

    def take(self, entry: int) -> bool:
        """Return whether it is right to be told, and no repetition."""
        if entry in self.had:
            for repeated in (self.again, self.spare):
                if entry in repeated:
                    repeated.remove(entry)
                    return True
            return False
        self.had.add(entry)
        return True

    def begin(self, entry: int) -> None:
        """Go on with another connection, from an entry on."""
        self.least = self.sure = entry
        self.again = {one for one in self.again if one >= entry}
        self.spare.clear()


@dataclass
class Change:
    """What a client has said that it wants to hear besides."""

    terms: dict[str, Term]
    cursor: Position
    """What it must be brought up to date from."""
    resume: Position
    """What to come back with until it is done."""
    from_now: bool
    answered: bool = False
    last: int = -1
    """The newest entry of those that were missed."""


@dataclass
class ChangingClient(Client):
    """A page that takes up groups, and leaves them, while its stream goes on."""

    terms: dict[str, Term] = field(default_factory=dict)
    change: Change | None = None
    leaving: dict[str, Term] = field(default_factory=dict)
    """What it has said it wants no more, and hasn't been answered."""
    errand: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        start = self.world.known(self.cursor)
        self.terms = {name: Term(start, start, start) for name in self.names}

    @property
    def subscriber(self) -> Subscriber | None:
        """What it can say something on, when it isn't saying something already."""
        if self.errand and not self.errand.done():
            return None
        if self.opening and self.opening.done() and not self.change:
            return self.opening.result()
        return None

    def subscribe(self, names: Collection[str], cursor: Position | None) -> None:
        subscriber, hub = self.subscriber, self.hub
        fresh = [name for name in names if name not in self.terms]
        if not subscriber or not hub or not fresh:
            return
        start = self.world.known(cursor or hub.position)
        end = len(self.world.log) if cursor is None else start
        terms = {name: Term(end, start, end) for name in fresh}
        for name, term in terms.items():
            self._learn(name, term)
        resume = self.world.older(cursor or self.cursor, self.cursor)
        told = cursor or self.cursor
        self.change = Change(terms, told, resume, from_now=cursor is None)
        self.names = [*self.names, *fresh]
        answer = [wire.subscription_response(name, "subscribed") for name in fresh]
        self.errand = asyncio.create_task(
            hub.subscribe(subscriber, fresh, cursor, answer)
        )

    def unsubscribe(self, names: Collection[str]) -> None:
        subscriber, hub = self.subscriber, self.hub
        left = [name for name in names if name in self.terms]
        if not subscriber or not hub or not left:
            return
        self.leaving = {name: self.terms.pop(name) for name in left}
        self.names = [name for name in self.names if name not in left]
        answer = [wire.subscription_response(name, "unsubscribed") for name in left]
        self.errand = asyncio.create_task(hub.unsubscribe(subscriber, left, answer))

    def ping(self) -> None:
        subscriber, hub = self.subscriber, self.hub
        if subscriber and hub:
            self.errand = asyncio.create_task(hub.pong(subscriber))

    async def say_no_more(self) -> None:
        """End what it was saying, when its connection has been forgotten."""
        if self.errand:
            _, late = await asyncio.wait([self.errand], timeout=1)
            if late:
                self.errand.cancel()
                self.faults.append("an errand hangs")
            elif error := self.errand.exception():
                self.faults.append(f"an errand failed: {error!r}")
            self.errand = None
        self.leaving = {}
        if self.change:
            self.terms |= self.change.terms
            self.cursor = self.change.resume
            self.change = None
            start = self.world.known(self.cursor)
            for term in self.terms.values():
                term.again |= {one for one in term.had if one >= start}

    def connected(self) -> None:
        super().connected()
        start = self.world.known(self.cursor)
        for term in self.terms.values():
            term.begin(start)

    def take(self, frame: Frame) -> None:
        data = json.loads(frame.json)
        match data["type"]:
            case "subscription.response" if data["status"] == "unsubscribed":
                self.leaving.pop(data["group"], None)
            case "subscription.response":
                self._answered()
            case "stream-reset":
                for name in data["groups"]:
                    self._reset(name, data.get("id"))
            case "keep-alive" if data.get("id"):
                self.complete = True
                self._done(wire.parse_position(data["id"]))
            case "test":
                self._event(wire.parse_position(data["id"]))
                return
        if data.get("id"):
            self._advance(wire.parse_position(data["id"]))

    def check_reset(self, name: str) -> None:
        change, cursor = self.change, self.cursor
        if change and name in change.terms:
            self.cursor = change.cursor
        super().check_reset(name)
        self.cursor = cursor

    def check(self) -> None:
        assert not self.faults, self.faults
        assert self.complete, "never told that it is complete"
        assert not self.change, "never told that it is complete again"
        assert not self.leaving, "never answered"
        for name, term in self.terms.items():
            wanted = {
                entry
                for entry, (_, group) in enumerate(self.world.log)
                if entry >= term.since and matches(name, group)
            }
            missed = sorted(wanted - term.had)
            assert not missed, f"{name}: entries {missed} of the log never came"

    def _learn(self, name: str, term: Term) -> None:
        """Note what it has of a group, on this connection, because of another."""
        for other, had in self.terms.items():
            for entry in had.had - had.again:
                group = self.world.log[entry][1]
                if entry < had.least or not matches(name, group):
                    continue
                assert matches(other, group)
                term.had.add(entry)
                if entry < had.sure or entry in had.spare:
                    term.spare.add(entry)

    def _answered(self) -> None:
        if not self.change:
            self.faults.append("an answer to nothing")
        elif not self.change.answered:
            self.change.answered = True
            if self.change.from_now:
                for term in self.change.terms.values():
                    term.since = term.sure = len(self.world.log)

    def _reset(self, name: str, id: str | None) -> None:
        changing = self.change.terms if self.change else {}
        term = self.terms.get(name) or changing.get(name)
        if term:
            self.check_reset(name)
            term.since = term.sure = len(self.world.log)
            if id:
                term.least = term.sure = self.world.known(wire.parse_position(id))
        elif name not in self.leaving:
            self.faults.append(f"{name} was reset, which it hasn't")

    def _done(self, position: Position) -> None:
        if self.change and self.change.answered:
            if self.world.known(position) <= self.change.last:
                self.faults.append("done before what was missed")
            self.terms |= self.change.terms
            self.change = None

    def _event(self, position: Position) -> None:
        entry = self.world.places[position]
        group = self.world.log[entry][1]
        old = [term for name, term in self.terms.items() if matches(name, group)]
        left = [term for name, term in self.leaving.items() if matches(name, group)]
        changing = self.change.terms if self.change else {}
        new = [
            term
            for name, term in changing.items()
            if matches(name, group) and entry >= term.least
        ]
        sure = any(entry >= term.sure for term in old)
        possible = any(entry >= term.least for term in [*old, *left])
        if not (sure or possible or new):
            self.faults.append(f"entry {entry} of {group} came, which it hasn't")
        elif sure or not new:
            self._advance(position)
            self._credit(entry, [*old, *new])
        elif not possible:
            assert self.change
            if entry <= self.change.last:
                self.faults.append("what was missed isn't in order")
            self.change.last = entry
            self._credit(entry, new)
        else:
            for term in [*old, *new]:
                term.take(entry)

    def _credit(self, entry: int, terms: Sequence[Term]) -> None:
        right = [term.take(entry) for term in terms]
        if not all(right):
            self.faults.append(f"entry {entry} came twice")

    def _advance(self, position: Position) -> None:
        same = position.epoch == self.cursor.epoch
        if same and position.seq < self.cursor.seq:
            self.faults.append("an id went back")
        self.cursor = position


class Laboratory(Protocol):
    """Brokers whose time and troubles are the test's."""

    def brokers(self, size: int, now: int) -> list[Broker]:
        """Return one for each server, over a memory that is new."""

    async def set_time(self, now: int, hubs: Sequence[Hub]) -> None: ...

    def forget(self) -> bool:
        """Lose all memory under open streams, if that can happen."""

    def interrupt(self, server: int) -> None:
        """Have the feed of a server lose what is published from now on."""

    async def mend(self) -> None:
        """Let the feeds hear again."""

    async def idle(self, hubs: Sequence[Hub]) -> None:
        """Return when all that was published has been heard."""


@dataclass
class World:
    size: int
    laboratory: Laboratory
    greet: Callable[[Hub, Position | None], Position | None]
    now: int = 1_763_799_845_000_000
    log: list[tuple[Position, str]] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    past_epochs: set[str] = field(default_factory=set)
    epoch: str = ""
    make_client: Callable[[list[str], World, Position], Client] = Client
    places: dict[Position, int] = field(default_factory=dict)
    """Which entries of the log the events are."""
    epochs: list[str] = field(default_factory=list)
    """All there have been, ascending."""
    seen: list[Position] = field(default_factory=list)
    """Where a server was, after each step: what a page has that it rendered then."""
    brokers: list[Broker] = field(init=False)
    hubs: list[Hub] = field(init=False)

    async def start(self) -> None:
        self.brokers = self.laboratory.brokers(self.size, self.now)
        self.hubs = [Hub(broker, keep_alive=3600) for broker in self.brokers]
        for hub in self.hubs:
            await hub.start()
        self.epoch = (await self.brokers[0].position()).epoch
        self.epochs.append(self.epoch)

    async def stop(self) -> None:
        for client in self.clients:
            await self.cut(client)
        for hub in self.hubs:
            await hub.close()
        for broker in self.brokers:
            await broker.close()

    async def settle(self) -> None:
        await self.laboratory.mend()
        for client in self.clients:
            if client.opening:
                await asyncio.wait([client.opening])
        await self.laboratory.idle(self.hubs)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            await self.turn(IDLE_TURNS)
            if not any(one.busy for hub in self.hubs for one in hub._subscribers):
                return

    async def turn(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    def publish(self, group: str, count: int, *, large: bool) -> None:
        # Without waiting: the log must know of an event before any client does.
        drafts = [Draft(group, "test", LARGE if large else b"1")] * count
        for one in self.brokers[count % 2].publish(drafts):
            self.places[one.position] = len(self.log)
            self.log.append((one.position, group))

    def known(self, position: Position) -> int:
        """Return how many entries of the log are not after a position."""
        age = self.age(position)
        return sum(1 for one, _ in self.log if self.age(one) <= age)

    def older(self, one: Position, other: Position) -> Position:
        return min(one, other, key=self.age)

    def age(self, position: Position) -> tuple[int, int]:
        """Return what grows with time; of what never was, it is before everything."""
        if position.epoch in self.epochs:
            return self.epochs.index(position.epoch), position.seq
        return -1, 0

    def cursor(self, client: Client, age: int | str | None) -> Position | None:
        """Return what a client says it has of groups that it takes up."""
        match age:
            case "fantasy":
                return Position("fantasy", self.now)
            case "present":
                return client.cursor
            case int():
                return self.seen[-min(age, len(self.seen))] if self.seen else None
        return None

    async def step(self, step: tuple[Any, ...]) -> None:
        await self._step(step)
        self.seen.append(self.hubs[len(self.seen) % 2].position)

    async def _step(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("publish", group, count, large):
                self.publish(group, count, large=large)
            case ("advance", seconds):
                self.now += int(seconds * 1e6)
                await self.laboratory.set_time(self.now, self.hubs)
            case ("turn", turns):
                await self.turn(turns)
            case ("idle",):
                await self.laboratory.idle(self.hubs)
            case ("interrupt", server):
                self.laboratory.interrupt(server)
            case ("mend",):
                await self.laboratory.mend()
            case ("forget",):
                if self.laboratory.forget():
                    self.past_epochs.add(self.epoch)
                    self.epoch = ""
                    self.epoch = (await self.brokers[0].position()).epoch
                    self.epochs.append(self.epoch)
            case ("watermark", server):
                await self.hubs[server]._hearing._feed.probe()
            case ("page", names, server):
                cursor = self.hubs[server].position
                self.clients.append(self.make_client(names, self, cursor))
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
            case ("subscribe", which, names, age):
                client = self.client(which)
                if isinstance(client, ChangingClient):
                    client.subscribe(names, self.cursor(client, age))
            case ("unsubscribe", which, names):
                client = self.client(which)
                if isinstance(client, ChangingClient):
                    client.unsubscribe(names)
            case ("ping", which):
                client = self.client(which)
                if isinstance(client, ChangingClient):
                    client.ping()
            case ("restart",):
                await self.stop()
                self.past_epochs.add(self.epoch)
                await self.start()

    def client(self, which: int) -> Client | None:
        return self.clients[which % len(self.clients)] if self.clients else None

    def connect(self, client: Client, server: int, frames: int | None) -> None:
        client.deaf_after = frames
        client.open_door.set()
        client.connected()
        hub = self.hubs[server]

        def greeting(id: wire.Id | None) -> Frame:
            assert not isinstance(id, wire.Vector)
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
            if isinstance(client, ChangingClient):
                await client.say_no_more()


class EmbeddedLaboratory:
    """The embedded broker, with feeds that don't hear everything."""

    def __init__(self, make_broker: Callable[..., MemoryBroker]) -> None:
        self._make_broker = make_broker
        self._now = 0

    def brokers(self, size: int, now: int) -> list[Broker]:
        self._now = now
        self._broker = self._make_broker(
            history_size=size,
            history_seconds=HISTORY_SECONDS,
            group_memory_seconds=MEMORY_SECONDS,
            clock=lambda: self._now,
        )
        return [self._broker] * 2

    async def set_time(self, now: int, hubs: Sequence[Hub]) -> None:
        self._now = now

    def forget(self) -> bool:
        return False  # its memory is its servers'

    def interrupt(self, server: int) -> None:
        self._feed(server).hears = False

    async def mend(self) -> None:
        for server in range(2):
            self._feed(server).hear_again()

    async def idle(self, hubs: Sequence[Hub]) -> None:
        # Until all is read of which something may be missing, page by page.
        for _ in range(20 * IDLE_TURNS):
            await asyncio.sleep(0)

    def _feed(self, server: int) -> InterruptedFeed:
        feed = self._broker.made[server]  # type: ignore[attr-defined]
        assert isinstance(feed, InterruptedFeed)
        return feed


class InterruptedFeed(MemoryFeed):
    """Like one whose connection is lost and found again."""

    hears = True

    def put(self, announcement: Any) -> None:
        if self.hears:
            super().put(announcement)

    def hear_again(self) -> None:
        if not self.hears:
            self.hears = True
            self.put(Interruption())
            self.wake()


class InterruptedBroker(MemoryBroker):
    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.made: list[InterruptedFeed] = []

    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        # Takes its time, as a call over a network, before and after it is made.
        await asyncio.sleep(0)
        page = await super().resume(cursor, names, limit)
        await asyncio.sleep(0)
        return page

    async def feed(self) -> Feed:
        feed = InterruptedFeed(self, asyncio.get_running_loop())
        self._feeds.add(feed)
        self.made.append(feed)
        return feed


class RedisLaboratory:
    """A real server, with a broker object and a connection for each hub."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._client: redis.Redis = server.client()
        self._prefix = ""
        self._clock = secrets.token_hex(8)
        self._now = 0

    def brokers(self, size: int, now: int) -> list[Broker]:
        self._now = now
        self._client.set(self._clock, now)
        self._prefix = secrets.token_hex(8)
        return [
            RedisBroker(
                self._server.url,
                key_prefix=self._prefix,
                history_size=size,
                history_seconds=HISTORY_SECONDS,
                group_memory_seconds=MEMORY_SECONDS,
                clock=CLOCK.format(key=self._clock),
            )
            for _ in range(2)
        ]

    async def set_time(self, now: int, hubs: Sequence[Hub]) -> None:
        """Let it pass as it does: with probes every few seconds."""
        while self._now < now:
            self._now = min(now, self._now + MEMORY_SECONDS * 100_000)
            self._client.set(self._clock, self._now)
            for hub in hubs:
                with suppress(BrokerUnavailable):
                    await hub._hearing._feed.probe()

    def forget(self) -> bool:
        self._client.flushall()
        self._client.set(self._clock, self._now)
        return True

    def interrupt(self, server: int) -> None:
        self._client.client_kill_filter(_type="pubsub")

    async def mend(self) -> None:
        pass  # the feeds do that themselves

    async def idle(self, hubs: Sequence[Hub]) -> None:
        async with asyncio.timeout(10):
            for hub in hubs:
                await self._heard_all(hub)

    async def _heard_all(self, hub: Hub) -> None:
        feed = hub._hearing._feed
        while True:
            with suppress(BrokerUnavailable):
                present = await feed.subscribe([])
                await feed.probe()
                for _ in range(20):
                    heard = hub.position
                    if heard.epoch == present.epoch and heard.seq >= present.seq:
                        return
                    await asyncio.sleep(0.001)

    def close(self) -> None:
        self._client.close()


def _simulate(
    steps: list[tuple[Any, ...]],
    size: int,
    laboratory: Laboratory,
    greet: Callable[[Hub, Position | None], Position | None],
    make_client: Callable[[list[str], World, Position], Client] = Client,
) -> None:
    # The loop's debug mode would make it five times as slow. What stands still is ended
    # here, because the search catches what ends a test, and goes on without an end.
    world = World(size, laboratory, greet, make_client=make_client)
    asyncio.run(asyncio.wait_for(_run(steps, world), LONGEST_SECONDS), debug=False)


async def _run(steps: list[tuple[Any, ...]], world: World) -> None:
    await world.start()
    try:
        for step in steps:
            await world.step(step)
        await _check_whole_streams(world)
        for number, client in enumerate(world.clients):
            await world.cut(client)
            world.connect(client, number % 2, None)
        await world.settle()
        for client in world.clients:
            client.check()
    finally:
        async with asyncio.timeout(LONGEST_SECONDS):
            await world.stop()


async def _check_whole_streams(world: World) -> None:
    """Check those whose groups may have changed, before they begin anew."""
    clients = [
        client
        for client in world.clients
        if isinstance(client, ChangingClient)
        and client.opening
        and client.deaf_after is None
    ]
    if not clients:
        return
    for client in world.clients:
        client.open_door.set()
    await world.settle()
    for client in clients:
        if client.errand:
            await asyncio.wait([client.errand], timeout=12)
            assert client.errand.done(), "an errand hangs"
    await world.settle()
    for client in clients:
        if client.opening and not client.opening.result().ended:
            client.check()


@pytest.fixture(autouse=True, scope="module")
def _small_pages() -> Iterator[None]:
    """So that much happens between two of them."""
    sizes = hearing.PAGE_EVENTS, replay.PAGE_EVENTS
    hearing.PAGE_EVENTS = replay.PAGE_EVENTS = 3
    yield
    hearing.PAGE_EVENTS, replay.PAGE_EVENTS = sizes


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
    st.tuples(st.just("interrupt"), server): 1,
    st.tuples(st.just("mend")): 1,
    st.tuples(st.just("forget")): 1,
    st.tuples(st.just("idle")): 1,
}
step = st.sampled_from([one for one, weight in weights.items() for _ in range(weight)])
steps = st.builds(
    lambda pages, rest: [*pages, *rest],
    st.lists(page, min_size=1, max_size=3),
    st.lists(step.flatmap(lambda one: one), min_size=15, max_size=60),
)
size = st.sampled_from([0, 1, 3, 10, 1000])


some = st.sampled_from([["a.1"], ["a.2"], ["b"], ["a.*"], ["a.1", "b"], ["a.*", "a.1"]])
age = st.sampled_from([None, "fantasy", "present", 1, 2, 5, 10, 20, 40])
subscribe = st.tuples(st.just("subscribe"), which, some, age)
unsubscribe = st.tuples(st.just("unsubscribe"), which, some)
weights_of_changes = weights | {
    subscribe: 8,
    unsubscribe: 3,
    st.tuples(st.just("ping"), which): 1,
}
step_of_changes = st.sampled_from(
    [one for one, weight in weights_of_changes.items() for _ in range(weight)]
)
steps_of_changes = st.builds(
    lambda pages, connects, rest: [*pages, *connects, *rest],
    st.lists(page, min_size=1, max_size=3),
    st.lists(connect, max_size=3),
    st.lists(step_of_changes.flatmap(lambda one: one), min_size=15, max_size=60),
)


def _honest(hub: Hub, id: Position | None) -> Position | None:
    return id


# A57, A5, A6, A58
@settings(
    max_examples=EXAMPLES,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps, size)
def test_every_event_comes_once_and_in_order_or_its_group_is_reset(
    steps: list[tuple[Any, ...]], size: int
) -> None:
    _simulate(steps, size, EmbeddedLaboratory(InterruptedBroker), _honest)


@pytest.fixture(scope="module")
def redis_laboratory(redis_server: RedisServer) -> Iterator[RedisLaboratory]:
    laboratory = RedisLaboratory(redis_server)
    yield laboratory
    laboratory.close()


# A57, A5, A6, A58
@settings(
    max_examples=EXAMPLES,
    phases=PHASES,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(steps, size)
def test_every_event_comes_once_and_in_order_or_its_group_is_reset_over_redis(
    redis_laboratory: RedisLaboratory, steps: list[tuple[Any, ...]], size: int
) -> None:
    _simulate(steps, size, redis_laboratory, _honest)


# A57
@settings(
    max_examples=EXAMPLES_OF_CHANGES,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps_of_changes, size)
def test_every_event_comes_once_while_groups_change(
    steps: list[tuple[Any, ...]], size: int
) -> None:
    laboratory = EmbeddedLaboratory(InterruptedBroker)
    _simulate(steps, size, laboratory, _honest, ChangingClient)


# A57
@settings(
    max_examples=EXAMPLES_OF_CHANGES,
    phases=PHASES,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(steps_of_changes, size)
def test_every_event_comes_once_while_groups_change_over_redis(
    redis_laboratory: RedisLaboratory, steps: list[tuple[Any, ...]], size: int
) -> None:
    _simulate(steps, size, redis_laboratory, _honest, ChangingClient)


class _NoHistoryIsComplete(InterruptedBroker):
    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        page = await super().resume(cursor, names, limit)
        return replace(page, lost={}) if page.usable and not self._size else page


class _ForgetsThatItForgot(InterruptedBroker):
    def _oldest(self, now: int) -> int:
        return 0


class _NotGreaterButEqual(InterruptedBroker):
    async def resume(
        self, cursor: Position, names: Collection[str], limit: int
    ) -> Resumption:
        earlier = Position(cursor.epoch, cursor.seq - 1)
        page = await super().resume(earlier, names, limit)
        return page if page.usable else await super().resume(cursor, names, limit)


class _LosesAllOfAPage(InterruptedBroker):
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
@pytest.mark.parametrize(
    ("make_broker", "greet"),
    [
        (_NoHistoryIsComplete, _honest),
        (_ForgetsThatItForgot, _honest),
        (_NotGreaterButEqual, _honest),
        (_LosesAllOfAPage, _honest),
        (InterruptedBroker, _reset_whose_id_comes_first),
        (InterruptedBroker, _present_before_the_replay),
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
        _simulate(steps, size, EmbeddedLaboratory(make_broker), greet)

    with pytest.raises(AssertionError):
        search()


def _joins_before_all_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    write_page = Replay._write_page

    async def write_too_late(
        self: Replay,
        subscriber: Subscriber,
        frames: list[Frame],
        reading: Any,
        *rest: Any,
    ) -> None:
        if not reading.all:
            for group in reading.groups:
                group.add(subscriber)
        await write_page(self, subscriber, frames, reading, *rest)

    monkeypatch.setattr(Replay, "_write_page", write_too_late)


def _knows_no_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Subscriber, "knows", lambda self, frame: False)


def _knows_what_is_older(monkeypatch: pytest.MonkeyPatch) -> None:
    def knows(self: Subscriber, frame: Frame) -> bool:
        return any(matches(group.name, frame.group) for group in self.groups)

    monkeypatch.setattr(Subscriber, "knows", knows)


def _believes_that_nothing_was_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    adding = _those_who_are_given_more(monkeypatch)
    catch_up = Replay.catch_up

    async def forget(self: Replay, subscriber: Subscriber, **options: Any) -> None:
        if subscriber in adding:
            subscriber.after = self._hearing.position.seq
        else:
            await catch_up(self, subscriber, **options)

    monkeypatch.setattr(Replay, "catch_up", forget)


def _complete_up_to_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _ends_at_once(monkeypatch, lambda subscriber, read: read)


def _complete_before_it_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    _ends_at_once(monkeypatch, lambda subscriber, read: max(read, subscriber.after))


def _ends_at_once(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[Subscriber, int], int]
) -> None:
    async def add(
        self: Replay,
        subscriber: Subscriber,
        groups: Collection[Any],
        cursor: Position | None,
        answer: Sequence[Frame],
    ) -> None:
        await self._hearing.hear(groups)
        start = cursor or self._hearing.now(groups)
        reading = replay._Reading(groups, start, cursor is None, all=False)
        lost: dict[str, int] = {}
        await subscriber.write([*subscriber.take(), *answer])
        while not subscriber.ending:
            if subscriber.after == NEVER:
                await self.catch_up(subscriber, complete=False)
                await subscriber.write(subscriber.take())
                continue
            epoch = self._hearing.position.epoch
            page = await self._turn(reading)
            lost |= page.lost
            frames = [frame for frame in page.frames if not subscriber.knows(frame)]
            if page.last:
                self._hearing.join_later(subscriber, groups, start.seq)
                subscriber.note(lost)
                seq = end(subscriber, reading.cursor.seq)
                self._release(subscriber, subscriber.pending + frames, seq)
                return
            await self._write_page(subscriber, frames, reading, epoch)

    monkeypatch.setattr(Replay, "add", add)


def _answers_before_what_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unsubscribe(
        self: Hub,
        subscriber: Subscriber,
        names: Collection[str],
        answer: Sequence[Frame],
    ) -> None:
        async def errand() -> None:
            self._hearing.leave_early(subscriber, names)
            await subscriber.write(answer)

        await subscriber.do(errand)

    monkeypatch.setattr(Hub, "unsubscribe", unsubscribe)


def _those_who_are_given_more(monkeypatch: pytest.MonkeyPatch) -> set[Subscriber]:
    adding: set[Subscriber] = set()
    add = Replay.add

    async def note(self: Replay, subscriber: Subscriber, *rest: Any) -> None:
        adding.add(subscriber)
        try:
            await add(self, subscriber, *rest)
        finally:
            adding.remove(subscriber)

    monkeypatch.setattr(Replay, "add", note)
    return adding


# A57
@pytest.mark.parametrize(
    "plant",
    [
        _joins_before_all_is_written,
        _knows_no_patterns,
        _knows_what_is_older,
        _believes_that_nothing_was_dropped,
        _complete_up_to_what_was_read,
        _complete_before_it_is_heard,
        _answers_before_what_is_pending,
    ],
)
def test_a_known_fault_is_found_while_groups_change(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    @settings(
        max_examples=3000,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(steps_of_changes, size)
    def search(steps: list[tuple[Any, ...]], size: int) -> None:
        laboratory = EmbeddedLaboratory(InterruptedBroker)
        _simulate(steps, size, laboratory, _honest, ChangingClient)

    plant(monkeypatch)
    with pytest.raises(AssertionError):
        search()
