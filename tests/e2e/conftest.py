"""Fixtures: a server for a module, and one for a test that kills it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.servers import NewServer, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that goes on for the whole module, and must leave no traceback."""
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[NewServer]:
    """Makes a server with options and variables of its environment, for one test."""
    servers = []

    def new_server(options: Sequence[str] = (), **environment: str) -> Server:
        servers.append(Server(tmp_path, options, environment))
        return servers[-1]

    yield new_server
    for server in servers:
        server.close()


@pytest.fixture
def own_server(new_server: NewServer) -> Server:
    """A server that is not started yet, for one test."""
    return new_server()
