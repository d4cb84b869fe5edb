from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.clients import Received, Stream, close_all, open_many
from tests.servers import NewServer, Server, wait_until

pytestmark = pytest.mark.alone

STREAMS = 500
SECONDS = 3
LARGE = 60 * 1024


async def stopped(server: Server, number: int = signal.SIGTERM) -> None:
    """Stop the server in order: in time, without a complaint."""
    begun = time.monotonic()
    assert await asyncio.to_thread(server.stop, number) == 0
    assert time.monotonic() - begun < SECONDS
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


async def last(stream: Stream) -> Received:
    """Return the last event of a stream that has ended in order."""
    event = await stream.next()
    with pytest.raises(EOFError):
        while True:
            event = await stream.next()
    return event


# A62
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_all_streams_are_told_to_come_back_and_the_process_is_gone_in_time(
    new_server: NewServer, number: int, loop: str
) -> None:
    server = new_server(["--loop", loop])
    server.start()
    streams = await open_many(f"{server.url}/sse/stream", STREAMS)
    await stopped(server, number)
    retries = set()
    for stream in streams:
        farewell = await last(stream)
        assert farewell.type == "stream-close"
        assert farewell.data["reason"] == "shutdown"
        assert 500 <= farewell.data["retry"] <= 3000
        assert ("retry", str(farewell.data["retry"])) in farewell.fields
        retries.add(farewell.data["retry"])
    assert len(retries) > STREAMS / 2  # so that they don't all come at once
    await close_all(streams)


async def test_a_client_that_has_stopped_reading_does_not_hold_up_the_end(
    own_server: Server,
) -> None:
    own_server.start()
    url = f"{own_server.url}/sse/groups/news.updates"
    stalled = await Stream.open(url, window=4096)
    streams = await open_many(url, 10)
    events = [
        {
            "type": "component.data_changed",
            "group": "news.updates",
            "data": {"body": "x" * LARGE},
        }
    ] * 20
    async with httpx.AsyncClient(headers=own_server.headers) as client:
        for _ in range(8):  # 9.6 MB: more than the system takes for one connection
            answer = await client.post(
                f"{own_server.url}/api/v1/events", json={"events": events}
            )
            assert answer.status_code == 202
            await asyncio.gather(*(stream.take(20) for stream in streams))
    await stopped(own_server)
    for stream in streams:
        assert (await last(stream)).data["reason"] == "shutdown"
    with pytest.raises((EOFError, ConnectionError)):  # IncompleteReadError is one
        while True:
            await stalled.next()
    await close_all([stalled, *streams])


async def test_a_client_that_sent_several_requests_and_left_does_not_either(
    own_server: Server,
) -> None:
    # uvicorn doesn't tell the first of pipelined requests that its client has gone.
    own_server.start()
    before = own_server.sockets
    reader, writer = await asyncio.open_connection("127.0.0.1", own_server.port)
    one = f"GET /sse/stream HTTP/1.1\r\nHost: 127.0.0.1:{own_server.port}\r\n\r\n"
    writer.write(one.encode() * 3)
    async with asyncio.timeout(10):
        await reader.readuntil(b"event: keep-alive")
    writer.transport.abort()
    await asyncio.to_thread(wait_until, lambda: own_server.sockets <= before)
    await stopped(own_server)


# A62
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_that_is_told_twice_to_stop_stops_in_order_all_the_same(
    own_server: Server, first: int
) -> None:
    own_server.start()
    (stream,) = await open_many(f"{own_server.url}/sse/stream", 1)
    os.kill(own_server.pid, first)
    await stream.until("stream-close")
    await stopped(own_server, signal.SIGTERM)
    await stream.close()


# A62
async def test_a_server_that_drains_is_not_ready(own_server: Server) -> None:
    own_server.start()
    (stream,) = await open_many(f"{own_server.url}/sse/stream", 1)
    # A server that drains takes no new connections. What it still answers is a request
    # that is under way: Django has begun to read one when it says to go on.
    reader, writer = await asyncio.open_connection("127.0.0.1", own_server.port)
    writer.write(
        b"GET /api/v1/health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    )
    async with asyncio.timeout(10):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    os.kill(own_server.pid, signal.SIGTERM)
    assert (await last(stream)).data["reason"] == "shutdown"
    writer.write(b" ")
    async with asyncio.timeout(10):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"application/problem+json" in answer
    assert b"retry-after: " in answer.lower()
    writer.close()
    await stopped(own_server)
    await stream.close()


async def test_a_server_that_reloads_is_back_in_time_and_its_streams_are_told(
    new_server: NewServer, tmp_path: Path
) -> None:
    source = tmp_path / "source.py"
    source.touch()
    server = new_server(["--reload", "--reload-dir", str(tmp_path)])
    server.start()
    streams = await open_many(f"{server.url}/sse/stream", 20)
    (before,) = server.workers
    source.write_text("changed = True")
    for stream in streams:
        assert (await last(stream)).data["reason"] == "shutdown"
    begun = time.monotonic()
    await asyncio.to_thread(wait_until, lambda: before not in server.workers)
    assert time.monotonic() - begun < SECONDS
    await close_all(streams)
    streams = await open_many(f"{server.url}/sse/stream", 20)
    await stopped(server)
    for stream in streams:
        assert (await last(stream)).data["reason"] == "shutdown"
    await close_all(streams)
