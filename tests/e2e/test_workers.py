from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.clients import Stream
from tests.servers import ROOT, NewServer, Server, wait_until

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


WITHOUT_LIFESPAN = [
    *["--lifespan", "off", "--timeout-worker-healthcheck", "60"],
    "--workers=2",  # as one word: they don't say that they have started
]
PATHS = ["/sse/stream", "/sse/groups/news.updates", "/sse/components/demo.A/b", "/"]
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13",
    "Authorization": "Bearer test-key",
}


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Have a process stand still, so that all requests are another one's."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def status(server: Server, path: str, headers: dict[str, str] | None = None) -> int:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


# A65
def test_without_lifespan_the_second_worker_serves_nothing_and_says_why_once(
    new_server: NewServer,
) -> None:
    server = new_server(WITHOUT_LIFESPAN, SSE_BROKER_URL="memory://")
    server.start()
    wait_until(lambda: len(server.workers) == 2, SECONDS)
    found = []
    for pid in server.workers:
        with stopped(pid):
            of_paths = [status(server, path) for path in PATHS]
            found.append((of_paths, status(server, "/sse/ws", UPGRADE)))
    assert sorted(found) == [([200, 200, 405, 200], 101), ([503, 503, 503, 503], 403)]
    assert server.log.count("A second worker can't start") == 1
    assert "SSE_COMPONENTS['BROKER_URL'] to a Redis: 'redis://" in server.log
    assert "Traceback" not in server.log


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
