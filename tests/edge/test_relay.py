from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from threading import Event as Flag
from typing import Any

import pytest

from sse_components import channels
from sse_components.brokers.base import Interruption
from sse_components.brokers.memory import MemoryBroker
from sse_components.edge import relay as relays
from sse_components.edge.control import Rejected, Unpublished
from sse_components.edge.relay import Relay
from sse_components.events import Draft

SECONDS = 10


class Proxy:
    """Notes what is published to it, and may be away."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.posts: list[int] = []
        self.fault: Exception | None = None
        self.asked = 0
        self.goes_on = Flag()
        self.goes_on.set()
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def publish(self, body: bytes) -> None:
        self.asked += 1
        self._loop.call_soon_threadsafe(self._changed.set)
        self.goes_on.wait()
        try:
            self._take(body)
        finally:
            self._loop.call_soon_threadsafe(self._changed.set)

    def _take(self, body: bytes) -> None:
        fault = self.fault
        if isinstance(fault, Rejected):  # as for what is said, and not for what follows
            self.fault = None
        if fault:
            raise fault
        items = json.loads(body)["items"]
        self.posts.append(len(items))
        self.items += items

    @property
    def hints(self) -> list[str]:
        return [item["channel"] for item in self.items if _is_hint(item)]

    @property
    def events(self) -> list[tuple[str, str, str]]:
        return [
            (item["channel"], item["prev-id"], item["id"])
            for item in self.items
            if not _is_hint(item)
        ]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def _is_hint(item: dict[str, Any]) -> bool:
    return bool(item["formats"]["http-stream"].get("action") == "hint")


@pytest.fixture
async def proxy() -> Proxy:
    return Proxy()


@asynccontextmanager
async def relayed(broker: MemoryBroker, proxy: Proxy) -> AsyncIterator[Relay]:
    relay = Relay(broker, proxy.publish)
    task = asyncio.create_task(relay.run())
    await relay.heard()
    try:
        yield relay
    finally:
        proxy.goes_on.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def publish(broker: MemoryBroker, *groups: str, payload: bytes = b"{}") -> list[str]:
    drafts = [Draft(group, "hello", payload) for group in groups]
    return [str(one.position).replace(":", "-") for one in broker.publish(drafts)]


async def test_each_event_is_published_under_its_names_in_order(proxy: Proxy) -> None:
    broker = MemoryBroker()
    await broker.note(["a.*"])
    noted = broker.publish([Draft("a.0", "hello", b"{}")])[0].position.seq
    async with relayed(broker, proxy):
        one, other = publish(broker, "a.1", "a.1")
        await proxy.until(lambda: len(proxy.items) == 4)
    group, pattern = channels.channel("a.1"), channels.channel("a.*")
    epoch = one.partition("-")[0]
    assert proxy.events == [
        (group, f"{epoch}-0", one),
        (pattern, f"{epoch}-{noted}", one),
        (group, one, other),
        (pattern, one, other),
    ]


async def test_what_comes_meanwhile_is_published_together(proxy: Proxy) -> None:
    broker = MemoryBroker()
    proxy.goes_on.clear()
    async with relayed(broker, proxy):
        publish(broker, "a")
        await proxy.until(lambda: proxy.asked == 1)
        publish(broker, *["a"] * 450)
        proxy.goes_on.set()
        await proxy.until(lambda: len(proxy.items) == 451)
    assert proxy.posts == [1, 200, 200, 50]


async def test_one_request_is_no_larger_than_the_proxy_takes(proxy: Proxy) -> None:
    broker = MemoryBroker()
    payload = json.dumps("%" * 60_000).encode()
    async with relayed(broker, proxy):
        publish(broker, *["a"] * 10, payload=payload)
        await proxy.until(lambda: len(proxy.items) == 10)
    assert max(proxy.posts) == 3


async def test_a_proxy_that_is_away_gets_all_when_it_is_back(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sse_components.edge")
    broker = MemoryBroker()
    proxy.fault = Unpublished("It is away")
    async with relayed(broker, proxy):
        ids = publish(broker, "a")
        await proxy.until(lambda: proxy.asked == 2)
        ids += publish(broker, "a")
        proxy.fault = None
        await proxy.until(lambda: len(proxy.items) == 2)
        ids += publish(broker, "a")  # the log is written before it is
        await proxy.until(lambda: len(proxy.items) == 3)
    assert [id for _, _, id in proxy.events] == ids
    assert proxy.hints == []
    assert caplog.text.count("The proxy is published to again") == 1
    assert caplog.text.count("The proxy can't be published to: It is away") == 1


async def test_of_more_than_can_wait_the_oldest_become_hints(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "MAX_WAITING", 5)
    broker = MemoryBroker()
    proxy.fault = Unpublished("It is away")
    async with relayed(broker, proxy):
        publish(broker, *[f"old.{number}" for number in range(3)])
        ids = publish(broker, *["new"] * 5)
        await proxy.until(lambda: proxy.asked > 1)
        proxy.fault = None
        await proxy.until(lambda: len(proxy.items) == 8)
    assert proxy.hints == [channels.channel(f"old.{number}") for number in range(3)]
    assert [id for _, _, id in proxy.events] == ids


async def test_what_the_proxy_refuses_becomes_a_hint(
    proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    broker = MemoryBroker()
    proxy.fault = Rejected("It answers 400: no")
    async with relayed(broker, proxy):
        publish(broker, "a", payload=b'"a secret"')
        await proxy.until(lambda: len(proxy.items) == 1)
        (after,) = publish(broker, "b")
        await proxy.until(lambda: len(proxy.items) == 2)
    assert proxy.hints == [channels.channel("a")]
    assert [id for _, _, id in proxy.events] == [after]
    assert "doesn't take 1 items: It answers 400: no" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("subject", "group"),
    [("user:7", "auth.user.7"), ("session:h-abc", "session.h-abc")],
)
async def test_who_loses_rights_is_hinted_at_at_once_and_again(
    proxy: Proxy, subject: str, group: str
) -> None:
    broker = MemoryBroker()
    async with relayed(broker, proxy):
        broker.revoke("key:shop", "", 60)  # which no page is known by
        broker.revoke(subject, "", 60)
        await proxy.until(lambda: len(proxy.hints) == 1)
        await proxy.until(lambda: len(proxy.hints) == 2)
    assert proxy.hints == [channels.channel(group)] * 2


async def test_after_an_interruption_all_that_are_known_are_to_ask(
    proxy: Proxy,
) -> None:
    broker = MemoryBroker()
    async with relayed(broker, proxy) as relay:
        publish(broker, "a", "b", "a")
        await proxy.until(lambda: len(proxy.items) == 3)
        relay._take([Interruption()])  # which an embedded broker never has
        await proxy.until(lambda: len(proxy.hints) == 2)
    assert set(proxy.hints) == {channels.channel("a"), channels.channel("b")}


async def test_after_a_loss_of_memory_all_that_are_known_are_to_ask(
    proxy: Proxy,
) -> None:
    broker = MemoryBroker()
    async with relayed(broker, proxy):
        publish(broker, "a", "b")
        await proxy.until(lambda: len(proxy.items) == 2)
        broker._epoch = "another"
        publish(broker, "c")
        await proxy.until(lambda: len(proxy.items) == 5)
    assert set(proxy.hints) == {channels.channel("a"), channels.channel("b")}
