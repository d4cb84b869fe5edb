from __future__ import annotations

import asyncio

import pytest

from tests.clients import Follower, Stream
from tests.e2e.redis.publisher import Publisher
from tests.servers import Server

TICKER = "/sse/stream?group=news.updates&group=news.other&group=demo.todo.*"
BOTH_NAMES = "/sse/stream?group=demo.todo.7&group=demo.todo.*"
SHELL = "from sse_components import ComponentDispatcher; "


async def opened(server: Server, target: str) -> Stream:
    stream = await Stream.open(server.url + target)
    await stream.until("keep-alive")
    return stream


# A11
@pytest.mark.parametrize("target", ["/sse/groups/news.updates", TICKER])
async def test_what_is_published_at_one_server_reaches_the_streams_of_both(
    pair: list[Server], publisher: Publisher, target: str
) -> None:
    streams = [await opened(server, target) for server in pair]
    ids = []
    for server in pair:
        ids += await publisher.publish(server, "news.updates")
    for stream in streams:
        assert [event.id for event in await stream.take(2)] == ids
        await stream.close()


# A61
async def test_an_event_of_two_names_of_a_stream_comes_once_from_any_process(
    pair: list[Server], publisher: Publisher
) -> None:
    a, b = pair
    streams = [await opened(server, BOTH_NAMES) for server in (a, b)]
    only_pattern = await opened(b, "/sse/groups/demo.todo.*")
    ids = await publisher.publish(a, "demo.todo.7", "demo.todo.8", "demo.todo.7")
    publish = "print(ComponentDispatcher.sync.notify('demo.todo.7', 'hello').position)"
    printed = await asyncio.to_thread(
        a.manage, "shell", "--verbosity=0", "-c", SHELL + publish
    )
    ids += printed.split()
    ids += await publisher.publish(b, "demo.todo.9", "demo.todo", "demo.todo.7")
    del ids[5]  # matched by neither
    assert len(ids) == 6
    for stream in [*streams, only_pattern]:
        cursor = stream.cursor
        assert [event.id for event in await stream.take(6)] == ids
        await stream.close()
        again = await Stream.open(f"{b.url}{BOTH_NAMES}&lastEventId={cursor}")
        events = await again.until("keep-alive")
        assert [event.id for event in events[1:-1]] == ids
        await again.close()


# A69
@pytest.mark.parametrize(
    "code",
    [
        "print(ComponentDispatcher.sync.notify('news.updates', 'hello').position)",
        "import asyncio; print(asyncio.run("
        "ComponentDispatcher.notify('news.updates', 'hello')).position)",
    ],
)
async def test_a_command_publishes(pair: list[Server], code: str) -> None:
    a, b = pair
    stream = await opened(b, TICKER)
    printed = await asyncio.to_thread(
        a.manage, "shell", "--verbosity=0", "-c", SHELL + code
    )
    (event,) = await stream.take(1)
    assert event.id == printed.strip()
    assert event.data["payload"]["event_name"] == "hello"
    await stream.close()


# A4
async def test_a_server_that_was_restarted_has_all_groups_live_again(
    pair: list[Server], publisher: Publisher
) -> None:
    a, b = pair
    async with Follower(a.url + TICKER) as follower:
        groups = follower.groups
        await publisher.publish(b, "news.updates", "demo.todo.7")
        assert await asyncio.to_thread(a.stop) == 0
        await publisher.publish(b, "news.other", "demo.todo.8", "news.updates")
        await asyncio.to_thread(a.start)
        await follower.until(lambda: len(follower.types("stream-open")) > 1)
        live = await publisher.publish(b, "demo.todo.9", "news.other", "news.updates")
        await follower.reaches(live[-1])
        assert follower.groups == groups
        assert follower.ids == list(publisher.acknowledged)
        assert follower.types("stream-reset") == []
        assert follower.endings[0] == "shutdown"
