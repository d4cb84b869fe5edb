"""Fixtures: the project under uvicorn with Redis, and where generated clients go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_servers import RedisServer
from tests.servers import ROOT, Server

DOCUMENT = ROOT / "docs" / "openapi.json"


@pytest.fixture
def server(tmp_path: Path, redis_server: RedisServer) -> Iterator[Server]:
    """A server that has never failed, or the test does."""
    environment = {
        "SSE_BROKER_URL": redis_server.url,
        "SSE_API_RATE": "0",
    }
    folder = tmp_path / "server"
    folder.mkdir()
    with Server(folder, environment=environment).running() as server:
        yield server
