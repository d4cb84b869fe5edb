"""Fixtures: a Redis of a test's own, and servers over it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.e2e.redis.publisher import Publisher
from tests.redis_servers import NewRedisServer, RedisServer
from tests.servers import NewServer, Server

PUBLIC_GROUPS = "news.**,demo.**"


NewPair = Callable[..., AbstractContextManager[list[Server]]]
"""Has two servers run over a Redis; the settings are some of SSE_COMPONENTS.

With a file they note in it what `presence_changed` says.
"""


@pytest.fixture(scope="session")
def new_pair_of_pages(tmp_path_factory: pytest.TempPathFactory) -> NewPair:
    """Runs the servers A and B of `pages_site`, which have one database.

    What goes wrong with Redis is no error of theirs, so none may show in their logs.
    """

    @contextmanager
    def new_pair(
        url: str, signals: Path | None = None, **settings: object
    ) -> Iterator[list[Server]]:
        environment = {
            "SSE_BROKER_URL": url,
            "SSE_PUBLIC_GROUPS": PUBLIC_GROUPS,
            "SETTINGS": json.dumps(settings),
        }
        if signals:
            environment["SIGNALS"] = str(signals)
        pair = []
        for name in ("a", "b"):
            folder = tmp_path_factory.mktemp(name)
            application = "tests.e2e.pages_site:application"
            pair.append(Server(folder, [], environment, application))
            environment["DATABASE_URL"] = pair[0].database_url
        try:
            with ThreadPoolExecutor() as threads:
                list(threads.map(Server.start, pair))
            yield pair
        finally:
            for server in pair:
                server.close()
        for server in pair:
            assert "Traceback" not in server.log
            assert "ERROR" not in server.log
            assert "CRITICAL" not in server.log

    return new_pair


@pytest.fixture
def redis(new_redis_server: NewRedisServer) -> RedisServer:
    """One that runs, and that a test may kill."""
    redis = new_redis_server()
    redis.start()
    return redis


@pytest.fixture
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewServer]:
    """Makes servers of one site; the settings are some of SSE_COMPONENTS.

    What goes wrong with Redis is no error of theirs, so none may show in their logs.
    """
    servers = []

    def new_server(url: str, options: Sequence[str] = (), **settings: object) -> Server:
        environment = {
            "SSE_BROKER_URL": url,
            "SSE_PUBLIC_GROUPS": PUBLIC_GROUPS,
            "SETTINGS": json.dumps(settings),
        }
        folder = tmp_path_factory.mktemp("server")
        application = "tests.e2e.redis.site:application"
        servers.append(Server(folder, options, environment, application))
        return servers[-1]

    yield new_server
    for server in servers:
        server.close()
    for server in servers:
        assert "Traceback" not in server.log
        assert "ERROR" not in server.log
        assert "CRITICAL" not in server.log


@pytest.fixture
async def pair(redis: RedisServer, new_server: NewServer) -> list[Server]:
    """The servers A and B, with a keep-alive in every second."""
    pair = [new_server(redis.url, KEEP_ALIVE_SECONDS=1) for _ in range(2)]
    await asyncio.gather(*(asyncio.to_thread(server.start) for server in pair))
    return pair


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with Publisher() as publisher:
        yield publisher
