from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import Stream
from tests.servers import ROOT, Server

SECONDS = 30
"""For two interpreters to start, and to stop again."""


# A65
def test_two_workers_with_the_embedded_broker_refuse_to_start_and_name_redis() -> None:
    ended = subprocess.run(
        [
            *[sys.executable, "-m", "uvicorn", "project.asgi:application"],
            *["--port", "0", "--workers", "2"],
        ],
        cwd=ROOT,
        env=os.environ | {"SSE_BROKER_URL": "memory://"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    log = ended.stdout + ended.stderr
    assert "ERROR:    A second worker can't start" in log
    assert "SSE_COMPONENTS['BROKER_URL'] to a Redis: 'redis://" in log
    assert log.count("Application startup complete") == 1
    assert log.count("Application startup failed") == 1
    assert "Traceback" not in log


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[list[Server]]:
    """Two servers whose sockets a supervisor has opened."""
    servers = []
    for name in ["one", "two"]:
        folder = tmp_path / name
        folder.mkdir()
        servers.append(Server(folder, ["--reload", "--reload-dir", str(folder)]))
    yield servers
    for server in servers:
        server.close()


# A65
def test_a_project_may_be_served_twice_at_different_ports(
    supervised: list[Server],
) -> None:
    for server in supervised:
        server.start()
    assert [server.stop() for server in supervised] == [0, 0]


# A65
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_server_starts_again_at_once_on_its_port(
    supervised: list[Server], number: int
) -> None:
    server = supervised[0]
    server.start()
    stream = await Stream.open(f"{server.url}/sse/stream")
    await stream.until("keep-alive")
    await asyncio.to_thread(server.stop, number)
    await asyncio.to_thread(server.start)
    assert server.stop() == 0
    await stream.close()
