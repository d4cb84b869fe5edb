"""WebSockets over the wire: real servers, a client that is somebody else's."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.clients import Stream
from tests.proxies import Proxy
from tests.servers import NewServer, Server, wait_until

SECONDS = 10
MEBIBYTE = 1024 * 1024
GROUPS = ["news.updates", "news.other"]
QUERY = "group=news.updates&group=news.other"
BODY = random.Random(0).randbytes(2048).hex()

Frames = list[dict[str, Any]]


def websocket(url: str, query: str = "", **options: Any) -> connect:
    """Open one from a page of the server; it offers to compress, as browsers do."""
    options.setdefault("origin", Origin(url))
    address = f"ws://{urlsplit(url).netloc}/sse/ws?{query}"
    return connect(address, proxy=None, max_size=None, **options)


async def following(connection: ClientConnection) -> dict[str, Any]:
    """Return the next frame."""
    async with asyncio.timeout(SECONDS):
        text = await connection.recv()
    assert isinstance(text, str)
    frame: dict[str, Any] = json.loads(text)
    return frame


async def until(connection: ClientConnection, type: str) -> Frames:
    """Return the frames up to the first of a type."""
    frames = [await following(connection)]
    while frames[-1]["type"] != type:
        frames.append(await following(connection))
    return frames


async def begun(connection: ClientConnection) -> str:
    """Return the id up to which a new connection is complete."""
    return str((await until(connection, "keep-alive"))[-1]["id"])


async def rest(connection: ClientConnection) -> Frames:
    """Return what comes until it is closed or cut."""
    frames: Frames = []
    with pytest.raises(ConnectionClosed):
        while True:
            frames.append(await following(connection))
    return frames


async def take(connection: ClientConnection, count: int) -> list[str]:
    """Return the ids of so many events, between which nothing else but silence is."""
    ids: list[str] = []
    while len(ids) < count:
        frame = await following(connection)
        if frame["type"] != "keep-alive":
            ids.append(event_id(frame))
    return ids


def event_id(frame: dict[str, Any]) -> str:
    assert frame["type"] == "component.data_changed", frame
    return str(frame["id"])


def event_ids(frames: Frames) -> list[str]:
    return [frame["id"] for frame in frames if frame["type"].startswith("component")]


def events(count: int, groups: Sequence[str] = GROUPS, body: str = "") -> Frames:
    """Return events to the groups in turn."""
    return [
        {
            "type": "component.data_changed",
            "group": groups[number % len(groups)],
            "data": {"number": number, "body": body},
        }
        for number in range(count)
    ]


async def publish(server: Server, batch: Frames) -> list[str]:
    """Publish a batch and return the ids."""
    async with httpx.AsyncClient(headers=server.headers, timeout=30) as client:
        answer = await client.post(
            f"{server.url}/api/v1/events", json={"events": batch}
        )
    assert answer.status_code == 202
    return [result["id"] for result in answer.json()["results"]]


async def publish_burst(server: Server, batches: int, batch: Frames) -> list[str]:
    return [id for _ in range(batches) for id in await publish(server, batch)]


async def still_works(server: Server) -> None:
    async with websocket(server.url, QUERY) as connection:
        await begun(connection)
        ids = await publish(server, events(2))
        assert await take(connection, 2) == ids


# What arrives


# A5
async def test_a_client_that_is_cut_in_a_burst_gets_each_event_once(
    server: Server,
) -> None:
    proxy = Proxy(server.port)
    await proxy.start()
    url = f"http://127.0.0.1:{proxy.port}"
    async with websocket(url, QUERY) as connection:
        cursor = await begun(connection)
    burst = asyncio.create_task(publish_burst(server, 15, events(100, body=BODY)))
    received: list[str] = []
    for cut_at in (300, 800):
        async with websocket(url, f"{QUERY}&last_event_id={cursor}") as connection:
            frames = await until(connection, "stream-open")
            while len(received) + len(event_ids(frames)) < cut_at:
                frames.append(await following(connection))
            proxy.cut()
            frames += await rest(connection)  # what was on its way
        assert not [frame for frame in frames if frame["type"] == "stream-reset"]
        received += event_ids(frames)
        cursor = [frame["id"] for frame in frames if "id" in frame][-1]
        assert len(received) < 1500
        proxy.mend()
    async with websocket(url, f"{QUERY}&last_event_id={cursor}") as connection:
        (first,) = await until(connection, "stream-open")
        assert first["id"] == cursor
        received += await take(connection, 1500 - len(received))
        assert received == await burst
        ids = await publish(server, events(1))
        assert await take(connection, 1) == ids
    await proxy.stop()


async def test_a_group_that_is_added_in_a_burst_is_complete_and_in_order(
    server: Server,
) -> None:
    async with websocket(server.url, "group=news.a") as connection:
        cursor = await begun(connection)
        batch = events(60, ["news.a", "news.b", "news.c"])
        burst = asyncio.create_task(publish_burst(server, 20, batch))
        frames: Frames = []
        for count, group in ((100, "news.b"), (300, "news.c")):
            while len(event_ids(frames)) < count:
                frames.append(await following(connection))
            asked = {"type": "subscribe", "groups": [group], "last_event_id": cursor}
            await connection.send(json.dumps(asked))
        while len(event_ids(frames)) < 1200:
            frames.append(await following(connection))
        published = await burst
        live = await publish(server, batch)
        assert await take(connection, len(batch)) == live
    for place, group in enumerate(("news.a", "news.b", "news.c")):
        own = [frame for frame in frames if frame.get("group") == group]
        assert event_ids(own) == published[place::3]
    answers = [f for f in frames if f["type"] == "subscription.response"]
    assert [answer["group"] for answer in answers] == ["news.b", "news.c"]
    assert {answer["status"] for answer in answers} == {"subscribed"}


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_an_event_is_the_same_bytes_in_both_transports(
    server: Server, compression: str | None
) -> None:
    small, accents, large = "", "Ünï\n\u2028😀", "é" * 32_000
    batch = [events(1, ["news.updates"], body)[0] for body in (small, accents, large)]
    sse = await Stream.open(f"{server.url}/sse/groups/news.updates")
    await sse.until("keep-alive")
    async with websocket(server.url, QUERY, compression=compression) as connection:
        await begun(connection)
        for changed in batch:
            await publish(server, [changed])
        for event in await sse.take(len(batch)):
            frame = await connection.recv(decode=False)
            assert frame == dict(event.fields)["data"].encode()
            assert json.loads(frame)["id"] == event.id
    await sse.close()


@pytest.mark.parametrize(
    ("options", "extensions"),
    [(["--ws-per-message-deflate", "false"], 0), ([], 1)],
    ids=["uncompressed", "as it comes"],
)
async def test_a_client_that_offers_compression_gets_everything_right(
    new_server: NewServer, options: list[str], extensions: int
) -> None:
    server = new_server(options)
    server.start()
    async with websocket(server.url, QUERY) as connection:
        assert connection.response
        negotiated = connection.response.headers.get_all("Sec-WebSocket-Extensions")
        assert len(negotiated) == extensions
        await begun(connection)
        burst = asyncio.create_task(publish_burst(server, 10, events(100, body=BODY)))
        received: list[str] = []
        pongs = 0
        # Answers, and what has to wait, go another way than what needn't.
        while len(received) < 1000 or pongs < 20:
            frame = await following(connection)
            if frame["type"] == "pong":
                pongs += 1
            elif frame["type"] != "keep-alive":
                received.append(event_id(frame))
                assert frame["payload"]["data"]["body"] == BODY
                if len(received) % 50 == 0:
                    await connection.send('{"type":"ping"}')
        assert received == await burst


# A8
@pytest.mark.alone
async def test_a_client_that_stops_reading_holds_nobody_up(
    new_server: NewServer,
) -> None:
    server = new_server()
    server.start()
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(("127.0.0.1", server.port))
    small.setblocking(False)
    batch = events(250, ["news.updates"], BODY)
    async with (
        websocket(server.url, QUERY, sock=small, max_queue=1, compression=None) as slow,
        websocket(server.url, QUERY) as quick,
    ):
        await begun(slow)
        await begun(quick)
        ids = await publish(server, batch)
        assert await take(quick, 250) == ids  # what is made once is made by now
        memory = server.memory
        start = time.monotonic()
        burst = asyncio.create_task(publish_burst(server, 12, batch))
        received = await take(quick, 3000)
        assert received == await burst
        assert time.monotonic() - start < 15
        assert server.memory - memory < 60 * MEBIBYTE
        ids += received

        # It reads again.
        frames = await until(slow, "keep-alive")
        while frames[-1]["id"] < ids[-1]:
            frames += await until(slow, "keep-alive")
        (reset,) = [frame for frame in frames if frame["type"] == "stream-reset"]
        assert reset["groups"] == ["news.updates"]
        before, after = split(frames, reset)
        assert before == ids[: len(before)]
        assert after == ids[len(ids) - len(after) :]
        live = await publish(server, events(2))
        for connection in (slow, quick):
            assert await take(connection, 2) == live
    assert "Traceback" not in server.log


def split(frames: Frames, at: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the ids of the events before a frame, and of those after it."""
    place = frames.index(at)
    return event_ids(frames[:place]), event_ids(frames[place:])


# Who may


# A26
@pytest.mark.parametrize("origin", ["http://evil.example", "null", None])
@pytest.mark.parametrize("cookie", ["sessionid=abc; sse_browser=def", ""])
async def test_a_page_of_another_site_is_refused_before_it_is_open(
    server: Server, origin: str | None, cookie: str
) -> None:
    foreign = {
        "origin": Origin(origin) if origin else None,
        "additional_headers": {"Cookie": cookie} if cookie else {},
    }
    with pytest.raises(InvalidStatus) as refused:
        await websocket(server.url, QUERY, **foreign)
    assert refused.value.response.status_code == 403


# A26
async def test_an_api_key_needs_no_origin(server: Server) -> None:
    async with websocket(
        server.url, QUERY, origin=None, additional_headers=server.headers
    ) as connection:
        await begun(connection)
        ids = await publish(server, events(2))
        assert await take(connection, 2) == ids


async def test_the_log_says_nothing_of_the_query(server: Server) -> None:
    for name in ("news.quite-secret", "room.quite-secret"):
        for origin in (server.url, "http://evil.example"):
            for grant in ("", "&grant=eyJxdWl0ZSI6InNlY3JldCJ9:1vSecret:si-gnature_"):
                query = f"group={name}{grant}"
                try:
                    async with websocket(
                        server.url, query, origin=Origin(origin)
                    ) as connection:
                        await following(connection)
                except InvalidStatus:
                    assert origin != server.url
    log = server.log
    assert '"WebSocket /sse/ws" [accepted]' in log
    assert '"WebSocket /sse/ws" 403' in log
    for text in ("quite-secret", "eyJxdWl0ZSI6", "1vSecret", "gnature_", "?"):
        assert text not in log


# The end


# A62
@pytest.mark.alone
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_all_are_told_to_come_back_and_the_process_is_gone_in_time(
    new_server: NewServer, loop: str
) -> None:
    server = new_server(["--loop", loop])
    server.start()
    async with AsyncExitStack() as stack:
        connections = await opened(stack, server, 100)
        start = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        ends = await asyncio.gather(*(rest(connection) for connection in connections))
        assert await stopping == 0
        assert time.monotonic() - start < 3
        for connection, frames in zip(connections, ends, strict=True):
            assert frames[-1]["type"] == "stream-close"
            assert frames[-1]["reason"] == "shutdown"
            assert connection.close_code == 1012
    assert "Traceback" not in server.log
    assert "ERROR" not in server.log


async def opened(
    stack: AsyncExitStack, server: Server, count: int
) -> list[ClientConnection]:
    """Open so many at a time; each of them has begun."""
    connections = await asyncio.gather(
        *(websocket(server.url, QUERY, open_timeout=30) for _ in range(count))
    )
    for connection in connections:
        stack.push_async_callback(connection.close)
    await asyncio.gather(*(begun(connection) for connection in connections))
    return list(connections)


# A63
async def test_threads_do_not_grow_with_websockets(server: Server) -> None:
    none = server.sockets
    async with AsyncExitStack() as stack:
        await opened(stack, server, 50)
        await still_works(server)  # what is there once and for all is there after this
    await asyncio.to_thread(wait_until, lambda: server.sockets <= none + 1)
    threads = server.threads
    async with AsyncExitStack() as stack:
        connections = await opened(stack, server, 500)
        assert server.sockets >= 500
        assert server.threads <= threads
        ids = await publish(server, events(2))
        taken = await asyncio.gather(*(take(each, 2) for each in connections))
        assert taken == [ids] * 500
    await asyncio.to_thread(wait_until, lambda: server.sockets <= none + 1)


# Hostile input. A66: that there is no traceback is seen by the fixture, when the
# server ends.


def handshake(server: Server, *headers: bytes, query: bytes = QUERY.encode()) -> bytes:
    lines = [
        b"GET /sse/ws?%b HTTP/1.1" % query,
        b"Host: 127.0.0.1:%d" % server.port,
        b"Origin: %b" % server.url.encode(),
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    return b"\r\n".join([*lines, *headers, b"", b""])


def message(payload: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    """Return a short frame as a client sends it, masked with zeroes."""
    assert len(payload) < 126
    head = bytes((0x80 * fin | opcode, 0x80 | len(payload)))
    return head + bytes(4) + payload


@asynccontextmanager
async def raw(
    server: Server, request: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(request)
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer(server: Server, data: bytes) -> tuple[list[bytes], int]:
    """Return what comes after a handshake and some data, and the code of the close."""
    async with raw(server, handshake(server)) as (reader, writer):
        async with asyncio.timeout(SECONDS):
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            texts: list[bytes] = []
            while True:
                first, size = await reader.readexactly(2)
                if size == 126:
                    size = int.from_bytes(await reader.readexactly(2))
                payload = await reader.readexactly(size)
                if first == 0x88:
                    return texts, int.from_bytes(payload[:2])
                texts.append(payload)


# A66
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02{}", 1002),  # not masked
        (b"\xff\xff" + b"\xff" * 50, 1002),  # reserved bits and opcode
        (b"\x81\xff" + (20 * MEBIBYTE).to_bytes(8) + bytes(4), 1009),
        (b"\x81\xff" + b"\x7f" + b"\xff" * 7 + bytes(4), 1009),
        (message(b"", 0), 1002),  # goes on with nothing
        (message(b"{", fin=False) + message(b"}"), 1002),  # two at a time
        (message(b"x", 9, fin=False), 1002),  # a control frame in parts
        (message(b"x", 8), 1002),  # half a code
        (message(b"\x00\x01", 8), 1002),  # no code
        (message(b"\x03\xe8\xff\xfe", 8), 1007),  # a reason that is no text
        (message(b"x", 3), 1002),
    ],
)
async def test_frames_that_are_none_close_their_connection(
    server: Server, data: bytes, code: int
) -> None:
    assert (await answer(server, data))[1] == code
    await still_works(server)


# A66
async def test_text_that_is_none_closes_its_connection(own_server: Server) -> None:
    own_server.start()
    for data in (
        message(b"\xff\xfe"),
        message(b"\xed\xa0\x80"),
        message(b"\xc3", fin=False) + message(b"", 0),
    ):
        assert (await answer(own_server, data))[1] == 1007
    await still_works(own_server)
    assert own_server.stop() == 0
    # uvicorn itself thinks it worth a traceback; there is no other.
    theirs = "Invalid UTF-8 sequence received from client."
    assert own_server.log.count("Traceback") == own_server.log.count(theirs)


# A66
async def test_nonsense_in_order_is_answered_ten_times(server: Server) -> None:
    for nonsense in (
        message(b"\x00\xff\xfe", 2),
        message(b"[" * 125),
        message(b"1e999"),
        message(b'{"type":"subscribe","groups":["\\ud800"]}'),
        message(b'{"type":"unsubscribe","groups":"news.updates"}'),
        message(b'{"type":"subscribe","groups":{"a":1}}'),
        message(b'{"type":"subscribe","last_event_id":1e5}'),
        message(b'{"type":["ping"]}'),
    ):
        texts, code = await answer(server, nonsense * 10)
        assert sum(b'"stream-error"' in text for text in texts) == 10
        assert code == 4400
    await still_works(server)


# A66
async def test_random_bytes_harm_nobody(server: Server) -> None:
    chance = random.Random(66)
    await _random_bytes(server, chance, 100)  # what is made once is made by now
    memory = server.memory
    await _random_bytes(server, chance, 300)
    assert server.memory - memory < 20 * MEBIBYTE
    await still_works(server)


async def _random_bytes(server: Server, chance: random.Random, count: int) -> None:
    """Send noise, or what is almost a message, and leave at once or after a while."""
    said = message(b'{"type":"subscribe","groups":["news.a"],"last_event_id":"a:1"}')
    for number in range(count):
        data = bytearray(chance.randbytes(chance.randrange(1, 3000)))
        if number % 2:
            data = bytearray(said * 3)
            for _ in range(3):
                # Of ASCII, which doesn't make it text that is none.
                data[chance.randrange(6, len(data))] = chance.randrange(128)
        async with raw(server, handshake(server)) as (reader, writer):
            async with asyncio.timeout(SECONDS):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(data)
                if number % 3:
                    await reader.read(100)


# A66
async def test_half_handshakes_keep_nobody_waiting(server: Server) -> None:
    whole = handshake(server)
    async with AsyncExitStack() as stack:
        for number in range(100):
            part = whole[: number * len(whole) // 100]
            await stack.enter_async_context(raw(server, part))
        await still_works(server)


# A66
@pytest.mark.parametrize(
    "changed",
    [
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12"),
        (b"Sec-WebSocket-Key: dGhl", b"Sec-WebSocket-Key: !"),
        (b"Sec-WebSocket-Key: dGhl", b"X: "),
        (b"Upgrade: websocket", b"Upgrade: h2c"),
        (b"GET", b"POST"),
        (b"/sse/ws?", b"/sse/stream?"),
        (b"Host: 127.0.0.1", b"Host: evil.example"),
        (b"Host: 127.0.0.1", b"Host: \xff"),
        (b"Origin: http", b"Origin: \xff"),
        (b"Origin: ", b"Cookie: \xff=\xff\r\nOrigin: x"),
    ],
)
async def test_a_strange_handshake_is_refused(
    server: Server, changed: tuple[bytes, bytes]
) -> None:
    request = handshake(server)
    assert changed[0] in request
    async with raw(server, request.replace(*changed)) as (reader, _):
        async with asyncio.timeout(SECONDS):
            head = await reader.readuntil(b"\r\n")
    assert head.split()[1][:1] == b"4"
    await still_works(server)


# A66
async def test_clients_that_leave_at_once_leave_nothing_behind(server: Server) -> None:
    none = server.sockets
    for number in range(200):
        request = handshake(server) + message(b'{"type":"ping"}') * (number % 3)
        async with raw(server, request) as (_, writer):
            await writer.drain()
    await still_works(server)
    await asyncio.to_thread(wait_until, lambda: server.sockets <= none + 1)


# A8
# A66
async def test_a_stream_whose_connection_becomes_a_websocket_is_over(
    server: Server,
) -> None:
    request = b"GET /sse/groups/news.updates HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"
    async with raw(server, request % server.port) as (reader, writer):
        async with asyncio.timeout(SECONDS):
            await reader.readuntil(b"keep-alive")
            writer.write(handshake(server))
            await reader.readuntil(b" 101 ")
            await publish(server, events(1))
            await read_to_the_end(reader)
    await still_works(server)


async def read_to_the_end(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionResetError):
        while await reader.read(65536):
            pass
