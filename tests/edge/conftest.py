"""Fixtures: a Pushpin before the project, in all the ways that it may be served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.conftest import browser, open_window
from tests.edge.worlds import World, WSGIServer
from tests.redis_servers import RedisServer
from tests.servers import Server

__all__ = ["browser", "open_window"]

WAYS = {
    "asgi, embedded": (Server, False),
    "asgi, redis": (Server, True),
    "wsgi, redis": (WSGIServer, True),
}


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module", params=list(WAYS))
def world(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    redis_server: RedisServer,
) -> Iterator[World]:
    """One that goes on for the whole module, and must leave no traceback."""
    kind, has_redis = WAYS[request.param]
    folder = tmp_path_factory.mktemp("world")
    made = World(folder, kind, redis_server if has_redis else None)
    with made.running():
        yield made


@pytest.fixture
def own_world(tmp_path: Path, redis_server: RedisServer) -> World:
    """One of a test's own by WSGI, not started yet."""
    return World(tmp_path, WSGIServer, redis_server)
