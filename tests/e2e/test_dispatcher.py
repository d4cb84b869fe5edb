from __future__ import annotations

import asyncio
from collections.abc import Iterator
from subprocess import CalledProcessError

import httpx
import pytest

from tests.clients import Stream
from tests.redis_servers import RedisServer
from tests.servers import Server, wait_until

DATA_CHANGED = {"data": {"headline": "Hello"}, "update": False}
WAYS = {
    "from_an_async_view": 4000,
    "from_a_sync_view": 4000,
    "from_a_sync_view_by_the_coroutine": 1000,
    "from_a_thread": 500,
    "from_a_thread_with_a_loop": 250,
    "from_a_signal_handler": 250,
}
"""The views, and how often they publish to show that nothing leaks."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that nobody else is connected to."""
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.close()


@pytest.fixture(scope="module", params=["memory", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    redis: RedisServer = request.getfixturevalue("redis")
    return redis.url


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, broker_url: str
) -> Iterator[Server]:
    """The site whose views publish."""
    server = Server(
        tmp_path_factory.mktemp("site"),
        environment={"SSE_BROKER_URL": broker_url},
        application="tests.e2e.sites:application",
    )
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log


def connections(redis: RedisServer) -> int:
    """Return how many Redis has from others than us."""
    with redis.client() as client:
        return len(client.client_list()) - 1


# A69
@pytest.mark.parametrize("way", WAYS)
async def test_what_is_published_arrives_wherever_it_comes_from(
    server: Server, way: str
) -> None:
    stream = await Stream.open(f"{server.url}/sse/groups/news.updates")
    await stream.until("keep-alive")
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{server.url}/{way}")
    assert answer.status_code == 200
    (event,) = await stream.take(1)
    assert event.type == "component.data_changed"
    assert event.data == {
        "id": event.id,
        "type": "component.data_changed",
        "group": "news.updates",
        "payload": DATA_CHANGED,
        "sender": None,
        "ts": event.data["ts"],
    }
    assert answer.text in (event.id, "")  # a signal handler has nobody to tell
    await stream.close()


async def test_what_is_rolled_back_is_not_published(server: Server) -> None:
    stream = await Stream.open(f"{server.url}/sse/groups/news.updates")
    await stream.until("keep-alive")
    async with httpx.AsyncClient() as client:
        await client.get(f"{server.url}/from_a_signal_handler_of_what_is_rolled_back")
        answer = await client.get(f"{server.url}/from_a_sync_view")
    (event,) = await stream.take(1)
    assert event.id == answer.text
    await stream.close()


# A69
async def test_publishing_ten_thousand_times_leaks_nothing(
    server: Server, redis: RedisServer
) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        for way in WAYS:
            await client.get(f"{server.url}/{way}")
        threads, files = server.threads, len(server.files)
        connected = connections(redis)
        for way, times in WAYS.items():
            answer = await client.get(f"{server.url}/{way}?times={times}")
            assert answer.status_code == 200
        # Those of the requests come and go.
        await asyncio.to_thread(wait_until, lambda: server.threads <= threads + 2)
        assert len(server.files) <= files + 2
        assert connections(redis) <= connected


@pytest.mark.parametrize("broker_url", ["memory"], indirect=True)
@pytest.mark.parametrize(
    "code",
    [
        "ComponentDispatcher.sync.notify('news.updates', 'hello')",
        "import asyncio; "
        "asyncio.run(ComponentDispatcher.notify('news.updates', 'hello'))",
    ],
)
def test_a_command_is_told_that_the_embedded_broker_does_not_reach_the_server(
    server: Server, code: str
) -> None:
    with pytest.raises(CalledProcessError) as caught:
        server.manage(
            "shell", "-c", f"from sse_components import ComponentDispatcher; {code}"
        )
    last = caught.value.stderr.strip().splitlines()[-1]
    assert "BrokerUnavailable" in last
    assert "SSE_COMPONENTS['BROKER_URL'] = 'memory://'" in last
