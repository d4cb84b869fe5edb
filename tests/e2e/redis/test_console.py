"""Why somebody got an event or not, as two servers over Redis have noted it."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest
from pytest_django import Settings

from sse_components import runtime
from sse_components.console import orders, past, why
from sse_components.console.why import Answer
from sse_components.events import Draft
from tests.clients import Stream
from tests.e2e.redis.conftest import NewPair
from tests.e2e.test_websocket import begun, websocket
from tests.e2e.visitors import Browser
from tests.redis_servers import RedisServer
from tests.servers import Server

T = TypeVar("T")

NEWS, OTHER = "news.updates", "news.other"


@pytest.fixture
def pair(redis: RedisServer, new_pair_of_pages: NewPair, settings: Settings) -> Any:
    given = {"BROKER_URL": redis.url, "CONSOLE": True}
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | given
    with new_pair_of_pages(redis.url, CONSOLE=True, KEEP_ALIVE_SECONDS=1) as pair:
        yield pair


@pytest.fixture
async def bob(pair: list[Server]) -> AsyncIterator[Browser]:
    async with Browser() as bob:
        await bob.log_in(pair[0], "bob")
        yield bob


async def eventually(read: Callable[[], T], is_right: Callable[[T], object]) -> T:
    """Return what is read once it is right: the logbook is a second late."""
    deadline = time.monotonic() + 8
    while True:
        found = await asyncio.to_thread(read)
        if is_right(found):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.2)


async def published(group: str, count: int = 1, size: int = 0) -> list[str]:
    """Publish from this process, which is neither server's; return the ids."""
    drafts = [Draft(group, "test", b'"%b"' % (b"x" * size))] * count
    done = await asyncio.to_thread(runtime.publisher().publish, drafts)
    return [str(one.position) for one in done]


async def answer(id: str, user: str, outcome: str, group: str = "") -> Answer:
    return await eventually(
        lambda: why.explain(id, user, group), lambda found: found.outcome == outcome
    )


async def test_who_was_handed_an_event_is_said_to_have_been(
    pair: list[Server], bob: Browser
) -> None:
    stream = await bob.open(pair[1], await bob.page(pair[0], NEWS))
    (id,) = await published(NEWS)
    await stream.take(1)
    found = await answer(id, bob.user, "delivered")
    assert found.event
    assert found.event["group"] == NEWS
    (verdict,) = found.verdicts
    assert "cursor passed the event by" in verdict.text
    assert verdict.at
    assert abs(verdict.at - time.time()) < 15
    assert NEWS in verdict.connection.groups
    await stream.close()
    # What was written to a connection stays so when that has ended.
    await eventually(
        lambda: past.connections_of(bob.user), lambda found: not found[0].is_open
    )
    assert (await answer(id, bob.user, "delivered")).verdicts[0].connection.ended


async def test_who_does_not_hear_the_group_is_said_not_to(
    pair: list[Server], bob: Browser
) -> None:
    await bob.open(pair[1], await bob.page(pair[0], OTHER))
    stranger = await Stream.open(f"{pair[0].url}/sse/groups/{NEWS}")
    (id,) = await published(NEWS)
    found = await answer(id, bob.user, "not_subscribed")
    assert found.headline == f"It isn't subscribed to {NEWS}."
    await stranger.close()


async def test_who_was_denied_the_group_is_said_to_have_been(
    pair: list[Server], bob: Browser
) -> None:
    await bob.open(pair[0], f"group={NEWS}&group=secret.plans")
    (id,) = await published("secret.plans")
    found = await answer(id, bob.user, "not_granted")
    assert found.headline == "It asked for secret.plans, and wasn't granted it."


async def test_who_was_away_is_said_to_have_been(
    pair: list[Server], bob: Browser
) -> None:
    query = await bob.page(pair[0], NEWS)
    stream = await bob.open(pair[1], query)
    await stream.close()
    await eventually(
        lambda: past.connections_of(bob.user),
        lambda found: found and not found[0].is_open,
    )
    (id,) = await published(NEWS)
    found = await answer(id, bob.user, "not_connected", NEWS)
    assert "the client closed it, or the network did" in found.headline
    # And who comes back has it after all.
    again = await bob.connect(pair[0], query)
    events = await again.until("keep-alive")
    assert id in [event.id for event in events]
    await answer(id, bob.user, "delivered")


async def test_whose_page_is_newer_than_the_event_has_it_already(
    pair: list[Server], bob: Browser
) -> None:
    stranger = await Stream.open(f"{pair[0].url}/sse/groups/{NEWS}")
    await stranger.until("keep-alive")
    (id,) = await published(NEWS)
    await stranger.take(1)  # so that the server of the page knows of it
    await bob.open(pair[1], await bob.page(pair[0], NEWS))
    await answer(id, bob.user, "rendered")
    await stranger.close()


async def test_who_was_reset_is_said_to_have_been(
    pair: list[Server], bob: Browser
) -> None:
    query = await bob.page(pair[0], NEWS)
    ids = await published(NEWS, 1100)
    stream = await bob.connect(pair[0], query)
    assert any(one.type == "stream-reset" for one in await stream.until("keep-alive"))
    await answer(ids[-1], bob.user, "reset")


async def test_who_was_reset_by_a_new_memory_is_said_to_have_been(
    pair: list[Server], bob: Browser, redis: RedisServer
) -> None:
    stream = await bob.open(pair[0], await bob.page(pair[0], NEWS))
    await asyncio.sleep(why.APART + 0.5)
    with redis.client() as client:
        client.flushall()
    (id,) = await published(NEWS)
    await stream.until("stream-reset")
    await answer(id, bob.user, "reset", NEWS)
    # What is asked of a new memory is read from its beginning.
    (found,) = await asyncio.to_thread(past.connections_of, bob.user)
    await asyncio.to_thread(orders.reconnect, found.now.connection)
    await stream.until("stream-close")


async def test_who_left_a_group_is_said_to_have_left(
    pair: list[Server], bob: Browser
) -> None:
    query = await bob.page(pair[0], NEWS)
    cookies = "; ".join(f"{name}={text}" for name, text in bob.cookies.items())
    headers = {"Cookie": cookies}
    async with websocket(pair[0].url, query, additional_headers=headers) as socket:
        await begun(socket)
        await eventually(lambda: past.connections_of(bob.user), bool)
        leave = {"type": "unsubscribe", "groups": [NEWS]}
        await socket.send(json.dumps(leave))
        await eventually(
            lambda: past.connections_of(bob.user),
            lambda found: NEWS not in found[0].now.groups,
        )
        (id,) = await published(NEWS)
        found = await answer(id, bob.user, "not_subscribed", NEWS)
        assert "had left" in found.headline
        ask = {"type": "subscribe", "groups": ["secret.plans"]}
        await socket.send(json.dumps(ask))
        (id,) = await published("secret.plans")
        await answer(id, bob.user, "not_granted", "secret.plans")


async def test_who_was_at_a_process_that_was_killed_is_said_to_have_been(
    pair: list[Server], bob: Browser
) -> None:
    await bob.open(pair[1], await bob.page(pair[0], NEWS))
    await eventually(lambda: past.connections_of(bob.user), bool)
    pair[1].stop(signal.SIGKILL)
    (id,) = await published(NEWS)
    await eventually(
        lambda: why.explain(id, bob.user, NEWS),
        lambda found: "has said nothing since" in found.headline,
    )
    (later,) = await published(NEWS)
    found = await answer(later, bob.user, "ended", NEWS)
    assert "That was before the event" in found.headline
    names = [one.name for one in await asyncio.to_thread(past.processes)]
    assert len(names) == 1


async def test_who_takes_nothing_is_said_to_be_behind(
    pair: list[Server], bob: Browser
) -> None:
    query = await bob.page(pair[0], NEWS)
    cookies = "; ".join(f"{name}={text}" for name, text in bob.cookies.items())
    stream = await Stream.open(
        f"{pair[0].url}/sse/stream?{query}", {"Cookie": cookies}, window=4096
    )
    await stream.until("keep-alive")
    ids = await published(NEWS, 200, 60_000)
    await answer(ids[-1], bob.user, "behind")
    (found,) = await asyncio.to_thread(past.connections_of, bob.user)
    assert found.is_open
    await stream.close()


async def test_a_trace_says_when_each_frame_was_handed_over(
    pair: list[Server], bob: Browser
) -> None:
    stream = await bob.open(pair[1], await bob.page(pair[0], NEWS))
    before = await bob.open(pair[0], "")
    await asyncio.to_thread(orders.trace, bob.user)
    assert bob.user in await asyncio.to_thread(orders.traced)
    await asyncio.sleep(2.5)
    started = time.time()
    (id,) = await published(NEWS)
    await stream.take(1)
    found = await eventually(
        lambda: why.explain(id, bob.user),
        lambda found: any("handed the event at" in one.text for one in found.verdicts),
    )
    at = next(one.at for one in found.verdicts if one.outcome == "delivered")
    assert at
    assert started - 1 < at < time.time() + 1
    (delivered,) = [
        one
        for connection in await asyncio.to_thread(past.connections_of, bob.user)
        for one in connection.deliveries
        if one.id == id
    ]
    assert (delivered.type, delivered.group) == ("test", NEWS)
    await asyncio.to_thread(orders.untrace, bob.user)
    await eventually(orders.traced, lambda found: not found)
    await asyncio.sleep(2.5)
    (later,) = await published(NEWS)
    await stream.take(1)
    found = await answer(later, bob.user, "delivered")
    assert not any("handed the event at" in one.text for one in found.verdicts)
    await before.close()


async def test_a_connection_that_is_to_come_back_is_told_so(
    pair: list[Server], bob: Browser
) -> None:
    stream = await bob.open(pair[1], await bob.page(pair[0], NEWS))
    other = await bob.open(pair[1], await bob.page(pair[0], NEWS))
    found = await eventually(
        lambda: past.connections_of(bob.user), lambda found: len(found) == 2
    )
    oldest = found[-1].now
    await asyncio.to_thread(orders.reconnect, oldest.connection)
    closing = (await stream.until("stream-close"))[-1]
    assert closing.data["reason"] == "rotated"
    assert (await other.next()).type == "keep-alive"
    found = await eventually(
        lambda: past.connections_of(bob.user), lambda found: found[-1].now.ended
    )
    assert found[-1].now.ended == "asked"


async def test_the_logbook_is_nobody_s_but_the_staff_s(
    pair: list[Server], bob: Browser
) -> None:
    for group in ("console.tail", "console.processes", f"console.user.{bob.user}"):
        stream = await bob.connect(pair[0], f"group={group}")
        opened = await stream.next()
        assert opened.data["denied"] == [group]
        assert group not in opened.data["groups"]
