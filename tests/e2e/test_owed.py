from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.clients import Received, Stream
from tests.proxies import Proxy
from tests.redis_servers import NewRedisServer
from tests.servers import ROOT, Server

SECONDS = 5
"""From the broker's return until the pages are right."""

REFRESH = {"data": {}, "update": False}
COUNT = (
    "from project.demo.models import BreakingNews; print(BreakingNews.objects.count())"
)
COMMAND = """
from sse_components import ComponentDispatcher
ComponentDispatcher.on_commit.data_changed("news.updates", {"headline": "Hello"})
print("committed", flush=True)
input()
"""


@pytest.fixture
async def proxy(new_redis_server: NewRedisServer) -> AsyncIterator[Proxy]:
    """Between all processes and a Redis, which keeps its memory when it is cut."""
    redis = new_redis_server()
    redis.start()
    proxy = Proxy(redis.port)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
async def server(
    proxy: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """The site whose views publish, over the proxy."""
    server = Server(
        tmp_path_factory.mktemp("site"),
        environment={"SSE_BROKER_URL": broker_url(proxy)},
        application="tests.e2e.sites:application",
    )
    with ExitStack() as stack:
        stack.callback(server.close)
        await asyncio.to_thread(server.start)
        yield server
        assert await asyncio.to_thread(server.stop) == 0
        assert "Traceback" not in server.log


def broker_url(proxy: Proxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}/0"


async def open_stream(server: Server) -> Stream:
    stream = await Stream.open(f"{server.url}/sse/groups/news.updates")
    await stream.until("keep-alive")
    return stream


async def get(server: Server, view: str) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{server.url}/{view}")).status_code


async def rows(server: Server) -> int:
    return int(await asyncio.to_thread(server.manage, "shell", "-v0", "-c", COUNT))


def errors(server: Server) -> list[str]:
    return [line for line in server.log.splitlines() if "was not published" in line]


def shown(event: Received) -> tuple[str, str, object]:
    return event.type, event.data["group"], event.data["payload"]


# A45
async def test_saves_during_an_outage_succeed_and_pages_are_right_after_it(
    proxy: Proxy, server: Server
) -> None:
    stream, before = await open_stream(server), await rows(server)
    proxy.cut()
    for _ in range(3):
        assert await get(server, "from_a_signal_handler") == 200
    assert await rows(server) == before + 3
    assert len(errors(server)) == 3
    assert "Hello" not in server.log

    proxy.mend()
    (refresh,) = await stream.take(1, SECONDS)
    assert shown(refresh) == ("component.data_changed", "news.updates", REFRESH)
    assert await get(server, "from_a_signal_handler") == 200
    (event,) = await stream.take(1)
    assert event.data["payload"]["data"] == {"headline": "Hello"}
    await stream.close()


# A45
async def test_what_is_rolled_back_during_an_outage_refreshes_nothing(
    proxy: Proxy, server: Server
) -> None:
    stream = await open_stream(server)
    proxy.cut()
    view = "from_a_signal_handler_of_what_is_rolled_back"
    assert await get(server, view) == 200
    assert errors(server) == []
    proxy.mend()
    assert await get(server, "from_a_signal_handler") == 200
    events = await stream.take(1)
    assert [event.data["payload"]["data"] for event in events] == [
        {"headline": "Hello"}
    ]
    await stream.close()


# A45
async def test_outages_one_after_the_other_leave_no_threads(
    proxy: Proxy, server: Server
) -> None:
    stream, threads = await open_stream(server), []
    for _ in range(3):
        proxy.cut()
        assert await get(server, "from_a_signal_handler") == 200
        proxy.mend()
        (refresh,) = await stream.take(1, SECONDS)
        assert refresh.data["payload"] == REFRESH
        threads.append(server.threads)
    assert threads[-1] <= threads[0] + 1
    await stream.close()


@pytest.fixture
def command(proxy: Proxy) -> Iterator[subprocess.Popen[str]]:
    """A management command that publishes, and then goes on until it is told."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "-v0", "-c", COMMAND],
        cwd=ROOT,
        env=os.environ | {"SSE_BROKER_URL": broker_url(proxy)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


# A45
async def test_a_command_that_outlives_an_outage_refreshes_the_servers_pages(
    proxy: Proxy, server: Server, request: pytest.FixtureRequest
) -> None:
    stream = await open_stream(server)
    proxy.cut()
    command: subprocess.Popen[str] = request.getfixturevalue("command")
    assert command.stdout
    assert await asyncio.to_thread(command.stdout.readline) == "committed\n"
    proxy.mend()
    (refresh,) = await stream.take(1, SECONDS)
    assert shown(refresh) == ("component.data_changed", "news.updates", REFRESH)
    _, printed = await asyncio.to_thread(command.communicate, "\n", SECONDS)
    assert command.returncode == 0
    assert printed.count("was not published") == 1
    assert "Traceback" not in printed
    await stream.close()
