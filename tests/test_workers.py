from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest import LogCaptureFixture
from pytest_django import Settings

from sse_components import runtime, workers
from sse_components.asgi import get_asgi_application
from sse_components.workers import refuse_a_second
from tests.communicator import Communicator, request, scope
from tests.servers import ROOT

HOLD = """
import fcntl, sys
try:
    for number in map(int, sys.argv[1:]):
        fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit("another process has it")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(*sockets: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that shares sockets, and has claimed them."""
    numbers = [one.fileno() for one in sockets]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, *map(str, numbers)],
        pass_fds=numbers,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        yield holder
        holder.kill()


def bound_to_a_port() -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    return server


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def listening_on_ipv6() -> socket.socket:
    return socket.create_server(("::1", 0), family=socket.AF_INET6)


def bound_to_a_file(folder: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "socket"))
    return server


# A65
@pytest.mark.parametrize("new", [bound_to_a_port, listening, listening_on_ipv6])
async def test_a_process_is_refused_whose_socket_another_has_claimed(
    new: Callable[[], socket.socket],
) -> None:
    refusal = pytest.raises(ImproperlyConfigured, match=r"BROKER_URL.*redis://")
    with closing(new()) as shared, held(shared), refusal:
        await refuse_a_second(patience=0)


# A65
async def test_so_it_is_where_the_socket_is_a_file(tmp_path: Path) -> None:
    refusal = pytest.raises(ImproperlyConfigured)
    with closing(bound_to_a_file(tmp_path)) as shared, held(shared), refusal:
        await refuse_a_second(patience=0)


# A65
async def test_without_lifespan_nothing_is_served_until_the_socket_is_free(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers, "PATIENCE_SECONDS", 0)
    application = get_asgi_application()
    with closing(listening()) as shared, held(shared) as first:
        for path in ("/sse/stream", "/sse/groups/news.updates", "/nothing/here"):
            async with request(application, path) as exchange:
                assert exchange.status == 503
                assert b"log of the server" in await exchange.read()
        websocket = Communicator(application, scope("/sse/ws") | {"type": "websocket"})
        await websocket.say("websocket.connect")
        assert (await websocket.hear())["type"] == "websocket.close"
        await websocket.finished()
        (error,) = caplog.records
        assert error.levelname == "ERROR"
        assert "redis://" in error.getMessage()
        assert runtime.hub() is None
        first.kill()
        first.wait()
        async with request(application, "/sse/stream") as exchange:
            assert exchange.status == 200
    await runtime.stop()


# A65
async def test_workers_over_redis_need_no_socket_of_their_own(
    settings: Settings,
) -> None:
    settings.SSE_COMPONENTS = {"BROKER_URL": "redis://127.0.0.1:1"}
    with closing(listening()) as shared, held(shared):
        async with request(get_asgi_application(), "/nothing/here") as exchange:
            assert exchange.status == 404
    await runtime.stop()


async def test_a_process_that_has_claimed_its_socket_keeps_it() -> None:
    with closing(listening()) as shared:
        await refuse_a_second(patience=0)
        await refuse_a_second(patience=0)
        with pytest.raises(AssertionError), held(shared):
            pass


async def test_a_process_that_was_killed_has_claimed_nothing() -> None:
    with closing(listening()) as shared:
        with held(shared):
            pass
        await refuse_a_second(patience=0)


async def test_one_that_is_about_to_stop_is_waited_for() -> None:
    with closing(listening()) as shared, held(shared) as before:
        waiting = asyncio.create_task(refuse_a_second(patience=10))
        await asyncio.sleep(0)
        assert not waiting.done()
        before.kill()
        await waiting


async def test_a_socket_that_is_not_shared_may_be_claimed_by_anybody() -> None:
    with closing(listening()) as theirs, held(theirs):
        theirs.close()
        with closing(listening()):
            await refuse_a_second(patience=0)


async def test_sockets_that_take_no_connections_are_not_claimed() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(listening())
        client = stack.enter_context(socket.create_connection(server.getsockname()))
        accepted = stack.enter_context(server.accept()[0])
        unbound = stack.enter_context(socket.socket())
        nameless = stack.enter_context(socket.socket(socket.AF_UNIX))
        datagrams = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        pair = map(stack.enter_context, socket.socketpair())
        stack.enter_context(held(client, accepted, unbound, nameless, datagrams, *pair))
        await refuse_a_second(patience=0)
