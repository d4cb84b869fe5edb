"""Fixtures: a site over Redis, and what may stand in front of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from sse_components import runtime
from tests.doctor.nginx import HTTP
from tests.nginx import running_nginx
from tests.proxies import HTTPProxy
from tests.redis_servers import RedisServer
from tests.servers import Server

KEY_PREFIX = "doctor"


@pytest.fixture(autouse=True)
def _what_was_connected_is_let_go() -> Iterator[None]:
    yield
    asyncio.run(runtime.stop())


@pytest.fixture(scope="package")
def server(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> Iterator[Server]:
    given = {"BROKER_URL": redis_server.url, "KEY_PREFIX": KEY_PREFIX}
    server = Server(
        tmp_path_factory.mktemp("server"),
        environment={"SETTINGS": json.dumps(given)},
        application="tests.e2e.redis.site:application",
    )
    with server.running():
        yield server


@pytest.fixture(scope="package")
def nginx(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[str]:
    """The address of an nginx before the server."""
    with running_nginx(tmp_path_factory.mktemp("nginx"), HTTP, server.url) as url:
        yield url


@pytest.fixture
def proxy(server: Server) -> Iterator[HTTPProxy]:
    proxy = HTTPProxy(server.port)
    proxy.start()
    yield proxy
    proxy.close()


@pytest.fixture
def _settings_of_the_site(settings: Settings, redis_server: RedisServer) -> None:
    settings.SSE_COMPONENTS = {
        "BROKER_URL": redis_server.url,
        "KEY_PREFIX": KEY_PREFIX,
    }
