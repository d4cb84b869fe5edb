from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.clients import Stream
from tests.proxies import HTTPProxy, Request, Treatment
from tests.servers import Server

QUERY = "group=news.updates"
SILENCE = 1.5
"""Seconds; a keep-alive comes after one, so nothing is kept back for nothing."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def proxy(server: Server) -> Iterator[HTTPProxy]:
    proxy = HTTPProxy(server.port)
    proxy.start()
    yield proxy
    proxy.close()


async def _open(proxy: HTTPProxy) -> Stream:
    return await Stream.open(f"{proxy.url}/sse/stream?{QUERY}")


async def _get_stream(proxy: HTTPProxy) -> None:
    async with httpx.AsyncClient(base_url=proxy.url, timeout=SILENCE) as client:
        await client.get(f"/sse/stream?{QUERY}")


def _websocket(proxy: HTTPProxy) -> connect:
    address = f"ws://127.0.0.1:{proxy.port}/sse/ws?{QUERY}"
    return connect(address, proxy=None, origin=Origin(proxy.url), close_timeout=0.1)


async def _type(connection: ClientConnection) -> str:
    frame: dict[str, Any] = json.loads(await connection.recv())
    return str(frame["type"])


async def _publish(server: Server, headline: str) -> None:
    async with httpx.AsyncClient(headers=server.headers) as client:
        url = f"{server.url}/api/v1/groups/news.updates/data-changed"
        await client.post(url, json={"data": {"headline": headline}})


async def test_requests_of_a_client_that_keeps_its_connection_are_all_seen(
    proxy: HTTPProxy,
) -> None:
    async with httpx.AsyncClient(base_url=proxy.url) as client:
        for _ in range(2):
            assert (await client.get("/api/openapi.json?a=1")).status_code == 200
        await client.post("/sse/grants", json={})
    assert proxy.requests == [
        Request("GET", "/api/openapi.json"),
        Request("GET", "/api/openapi.json"),
        Request("POST", "/sse/grants"),
    ]
    assert proxy.count("/api/openapi.json") == 2


async def test_streams_and_websockets_pass(proxy: HTTPProxy, server: Server) -> None:
    stream = await _open(proxy)
    await stream.until("keep-alive")
    async with _websocket(proxy) as connection:
        assert await _type(connection) == "stream-open"
    await _publish(server, "a")
    assert (await stream.take(1))[0].data["payload"]["data"] == {"headline": "a"}
    await stream.close()
    assert proxy.requests == [
        Request("GET", "/sse/stream"),
        Request("GET", "/sse/ws", is_websocket=True),
    ]


async def test_a_stream_that_is_dropped_is_never_answered(proxy: HTTPProxy) -> None:
    proxy.streams = Treatment.DROP
    with pytest.raises(httpx.ReadTimeout):
        await _get_stream(proxy)


async def test_what_is_refused_gets_a_page_that_says_so(proxy: HTTPProxy) -> None:
    proxy.streams = proxy.websockets = Treatment.REFUSE
    stream = await _open(proxy)
    assert (stream.status, stream.headers["content-type"]) == (403, "text/html")
    await stream.close()
    with pytest.raises(InvalidStatus):
        async with _websocket(proxy):
            pass
    async with httpx.AsyncClient(base_url=proxy.url) as client:
        assert (await client.get("/api/openapi.json")).status_code == 200


async def test_a_stream_is_reset(proxy: HTTPProxy) -> None:
    proxy.streams = Treatment.RESET
    with pytest.raises(
        httpx.ReadError
    ):  # not RemoteProtocolError, as when it is closed
        await _get_stream(proxy)


async def test_a_body_that_is_buffered_comes_when_it_has_ended(
    server: Server, proxy: HTTPProxy
) -> None:
    proxy.streams = Treatment.BUFFER
    stream = await _open(proxy)
    assert stream.status == 200
    with pytest.raises(TimeoutError):
        await stream.next(SILENCE)
    await asyncio.to_thread(server.stop)
    assert (await stream.next()).type == "stream-open"
    await asyncio.to_thread(server.start)
    await stream.close()


async def test_a_body_comes_in_whole_blocks(server: Server, proxy: HTTPProxy) -> None:
    proxy.streams = Treatment.BLOCKS
    stream = await _open(proxy)
    with pytest.raises(TimeoutError):
        await stream.next(SILENCE)
    await _publish(server, "a" * 1024)
    assert (await stream.next()).type == "stream-open"
    with pytest.raises(TimeoutError):
        await stream.take(1, SILENCE)
    await stream.close()


async def test_a_stream_is_cut_after_a_while(proxy: HTTPProxy) -> None:
    proxy.streams = Treatment.CUT
    stream = await _open(proxy)
    assert (await stream.next()).type == "stream-open"
    with pytest.raises(EOFError):
        await stream.until("never")
    await stream.close()


async def test_silence_is_kept_until_a_cut(server: Server, proxy: HTTPProxy) -> None:
    stream = await _open(proxy)
    await stream.until("keep-alive")
    async with _websocket(proxy) as connection:
        assert await _type(connection) == "stream-open"
        proxy.silence()
        await _publish(server, "unheard")
        with pytest.raises(TimeoutError):
            await stream.next(SILENCE)
    with pytest.raises(TimeoutError):
        await stream.next(SILENCE)
    later = await _open(proxy)
    await later.until("keep-alive")
    proxy.cut()
    for each in (stream, later):
        with pytest.raises((EOFError, ConnectionResetError)):
            await each.next()
        await each.close()
