from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.clients import Stream
from tests.servers import Server

SECONDS = 10
MEBIBYTE = 1024 * 1024
ANY = range(256)
LIKELY = b"abcxyz0189%&=;:,.*/?_- "

# A66: that there is no traceback is seen by the fixture, when the server ends.


@pytest.fixture(autouse=True)
async def _the_server_still_answers(server: Server) -> AsyncIterator[None]:
    yield
    stream = await Stream.open(f"{server.url}/sse/groups/news.updates")
    await stream.until("keep-alive")
    async with httpx.AsyncClient(headers=server.headers) as client:
        await client.post(
            f"{server.url}/api/v1/groups/news.updates/notify",
            json={"event_name": "alive"},
        )
    await stream.take(1)
    await stream.close()


def get(server: Server, target: bytes, *headers: bytes) -> bytes:
    host = b"Host: 127.0.0.1:%d" % server.port
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, host, *headers, b"", b""])


async def answer(server: Server, request: bytes) -> bytes:
    """Return what comes until a frame is complete or the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    received = b""
    try:
        writer.write(request)
        async with asyncio.timeout(SECONDS):
            while not _complete(received) and (part := await reader.read(65536)):
                received += part
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return received


def _complete(received: bytes) -> bool:
    head, _, body = received.partition(b"\r\n\r\n")
    if b"text/event-stream" in head:
        return b"event: keep-alive" in body or body.endswith(b"0\r\n\r\n")
    return bool(body)


def status(received: bytes) -> int:
    return int(received.split(b" ", 2)[1]) if received else 0


def error(received: bytes) -> Any:
    """Return the data of the frame that an answer consists of."""
    assert status(received) == 200
    assert b"event: stream-error\nid: error\n" in received
    return json.loads(received.partition(b"data: ")[2].partition(b"\n")[0])


@pytest.mark.parametrize(
    "target",
    [
        b"/sse/stream?group=\xff\xfe",
        b"/sse/groups/\xff\xfe",
        b"/sse/stream?\x00",
        b"/sse/stream?group=a b",
        b"sse/stream",
        b"http://[::1/sse/stream",
    ],
)
async def test_bytes_that_are_no_address_are_a_bad_request(
    server: Server, target: bytes
) -> None:
    received = await answer(server, get(server, target))
    assert status(received) in (400, 0)


@pytest.mark.parametrize(
    ("target", "group"),
    [
        (b"/sse/groups/%ff%fe", "\ufffd\ufffd"),
        (b"/sse/groups/%00", "\0"),
        (b"/sse/groups/%0d%0adata:%20forged", "\r\ndata: forged"),
        (b"/sse/groups/%E2%80%A8", "\u2028"),
        (b"/sse/groups/..%2f..%2fetc%2fpasswd", "../../etc/passwd"),
        (b"/sse/stream?group=%ff", "\ufffd"),
        (b"/sse/stream?group=%ed%a0%80", "\ufffd\ufffd\ufffd"),
        (b"/sse/stream?group=%0d%0a%0d%0aevent:%20forged", "\r\n\r\nevent: forged"),
        (b"/sse/stream?group=%zz&&&=&%", "%zz"),
        (b"/sse/stream?group=\\x22\\x3cscript", "\\x22\\x3cscript"),
    ],
)
async def test_a_name_of_any_bytes_is_denied_and_forges_nothing(
    server: Server, target: bytes, group: str
) -> None:
    received = await answer(server, get(server, target))
    first = json.loads(received.partition(b"data: ")[2].partition(b"\n")[0])
    assert first["denied" if b"/stream" in target else "groups"] == [group]
    assert b"\nevent: forged" not in received
    assert b"\ndata: forged" not in received


@pytest.mark.parametrize(
    "cursor",
    [b"\xff\xfe", b":", b"::::", b"0:0", b"a" * 60_000, b"1:" + b"9" * 5000, b"\t;--"],
)
async def test_a_bad_cursor_is_reset(server: Server, cursor: bytes) -> None:
    received = await answer(
        server, get(server, b"/sse/stream", b"Last-Event-ID: " + cursor)
    )
    assert b"event: stream-open\ndata:" in received
    assert b"event: stream-reset\nid: " in received


@pytest.mark.parametrize(
    "header",
    [
        b"Cookie: \xff=\xff; sessionid=\xff\xff",
        b'Cookie: sessionid="\\000\\377"',
        b"Cookie: " + b";=" * 5000,
        b"Origin: http://127.0.0.1:99999999",
        b"Origin: \xff",
        b"Authorization: Bearer \xff\xff",
        b"Authorization: " + b"Bearer " * 5000,
        b"X-API-Key: \xff",
        b"X-Forwarded-Host: \xff",
        b"Content-Length: 99999999",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Upgrade: h2c\r\nConnection: Upgrade",
        b"Upgrade: websocket\r\nConnection: Upgrade",
        b"Expect: 100-continue",
        b"Host: evil.example",
        b": ",
        b"X: " + b"x" * 200_000,
        b"\r\n".join(b"X-%d: x" % number for number in range(10_000)),
    ],
)
async def test_a_strange_header_is_an_error_or_makes_no_difference(
    server: Server, header: bytes
) -> None:
    received = await answer(server, get(server, b"/sse/stream", header))
    assert status(received) in (0, 100, 200, 400, 403, 431)


async def test_a_long_query_is_a_bad_request(server: Server) -> None:
    received = await answer(
        server, get(server, b"/sse/stream?group=" + b"a" * 64 * 1024)
    )
    assert status(received) == 400  # uvicorn's parser takes no address so long
    received = await answer(server, get(server, b"/sse/stream?a=" + b"%61" * 21_000))
    assert status(received) == 200


@pytest.mark.parametrize(("count", "size"), [(7000, 9), (10_000, 12)])
async def test_thousands_of_groups_are_too_many(
    server: Server, count: int, size: int
) -> None:
    query = b"&".join(b"group=%x" % number for number in range(count))
    received = await answer(server, get(server, b"/sse/stream?" + query))
    if len(query) < 65_000:
        assert error(received)["condition"] == "too_many_groups"
    else:
        assert status(received) == 400


async def test_half_requests_keep_nobody_waiting(server: Server) -> None:
    request = get(server, b"/sse/stream?group=news.updates")
    begun = []
    for number in range(100):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request[: number % len(request)])
        await writer.drain()
        begun.append(writer)
    stream = await Stream.open(f"{server.url}/sse/stream")
    await stream.until("keep-alive")
    await stream.close()
    for writer in begun:
        writer.transport.abort()


async def test_clients_that_leave_at_once_leave_nothing_behind(server: Server) -> None:
    request = get(server, b"/sse/stream?group=news.updates", b"Cookie: sessionid=abc")
    for pipelined in (1, 3):
        for _ in range(100):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request * pipelined)
            await writer.drain()
            writer.transport.abort()


async def test_random_requests_are_answered_or_closed_in_bounded_memory(
    server: Server,
) -> None:
    chance = random.Random(66)
    for request in _random_requests(server, chance, 100):  # whatever is made once
        await answer(server, request)
    before = server.memory
    for request in _random_requests(server, chance, 1000):
        assert status(await answer(server, request)) < 500
    assert server.memory - before < 20 * MEBIBYTE


def _random_requests(
    server: Server, chance: random.Random, count: int
) -> Iterator[bytes]:
    """Noise, and requests for a stream with a few bytes replaced or inserted."""
    whole = get(
        server,
        b"/sse/stream?group=news.updates&lastEventId=abc:1&group=news.*",
        b"Cookie: sessionid=abc; other=def",
        b"Last-Event-ID: abc:1",
        b"Origin: http://127.0.0.1:%d" % server.port,
    )
    for number in range(count):
        if number % 5 == 0:
            yield chance.randbytes(chance.randrange(1, 5000)) + b"\r\n\r\n"
            continue
        request = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(b"GET /sse/stream?"), len(request))
            piece = bytes(chance.choices(ANY if number % 2 else LIKELY, k=5))
            request[place : place + chance.choice([0, 1, 5])] = piece
        yield bytes(request) + b"\r\n\r\n"
