"""What a server logs when all of it is wanted: frames, and nothing that is secret."""

from __future__ import annotations

import asyncio
import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from tests.clients import Stream
from tests.components.pages import roots
from tests.servers import Server

PAYLOAD = "payload-marker"
API_KEY = "api-key-marker"
WRONG = "wrong-marker"
KEY = {"Authorization": f"Bearer {API_KEY}"}
NEWS = "news.updates"
OTHERS = ("django.db.backends", "httpx", "websockets", "uvicorn.")
"""Loggers that say at DEBUG what goes through them, and aren't ours."""
POSITION = r"[0-9a-z]+:\d+"


class Visitor:
    """A browser that has joined the chat, and has a list."""

    def __init__(self, server: Server, client: httpx.AsyncClient) -> None:
        self._server = server
        self._client = client
        self.page = ""

    async def look(self, path: str) -> None:
        self.page = (await self._client.get(path)).raise_for_status().text

    async def call(self, name: str, method: str, **body: object) -> int:
        """Call a component of the page that was looked at last."""
        (state,) = (
            one["data-sse-state"]
            for one in roots(self.page)
            if one["data-sse-component"] == name
        )
        answer = await self._client.post(
            f"/sse/components/{name}/{method}",
            json={"state": state} | body,
            headers={"X-CSRFToken": self.attribute("csrf"), "Origin": self._server.url},
        )
        return answer.status_code

    def attribute(self, name: str) -> str:
        found = re.search(rf'data-{name}="([^"]*)"', self.page)
        assert found
        return unescape(found[1])

    @property
    def cookies(self) -> dict[str, str]:
        return {one.name: one.value or "" for one in self._client.cookies.jar}

    @property
    def headers(self) -> dict[str, str]:
        joined = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Cookie": joined}

    @property
    def query(self) -> str:
        return f"grant={quote(self.attribute('grant'))}"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "everything.log"


@pytest.fixture
def server(tmp_path: Path, log: Path) -> Server:
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.logged_settings",
        "LOG": str(log),
        "SSE_API_KEY": API_KEY,
    }
    return Server(tmp_path, environment=environment)


async def _publish(server: Server, *headlines: str) -> None:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", headers=KEY) as http:
        for headline in headlines:
            body = {"data": {"headline": headline}}
            answer = await http.post(f"/groups/{NEWS}/data-changed", json=body)
            assert answer.status_code == 202


def _lines(log: Path) -> list[str]:
    """Return all lines but those of others."""
    lines = log.read_text().splitlines()
    return [line for line in lines if not line.startswith(OTHERS)]


def _frames(log: Path) -> list[str]:
    """Return the lines about frames, with names for what is another each time."""
    start = "sse_components.frames DEBUG "
    frames = [
        line.removeprefix(start) for line in _lines(log) if line.startswith(start)
    ]
    placed = [re.sub(POSITION, "POSITION", frame) for frame in frames]
    return [re.sub(r"\d+ bytes", "N bytes", frame) for frame in placed]


async def test_frames_of_a_stream_are_lines_that_can_be_read(
    server: Server, log: Path
) -> None:
    url = f"{server.url}/sse/groups/{NEWS}"
    server.start()
    try:
        stream = await Stream.open(url)
        (opened,) = await stream.until("stream-open")
        await stream.until("keep-alive")
        await _publish(server, *"abc")
        await stream.take(3)
        await stream.close()
        stream = await Stream.open(url, {"Last-Event-ID": "another:1"})
        await stream.until("stream-reset")
        name = opened.data["connection"]
        ended = asyncio.create_task(stream.until("stream-close"))
        await asyncio.to_thread(server.stop)
        await ended
        await stream.close()
    finally:
        server.close()
    lines = [line.partition(" -> ") for line in _frames(log)]
    frames = [frame for connection, _, frame in lines if connection == name]
    again = [frame for connection, _, frame in lines if connection != name]
    assert frames[:2] == [
        f"stream-open {NEWS} at POSITION, N bytes",
        "keep-alive at POSITION, N bytes",
    ]
    event = f"component.data_changed {NEWS} at POSITION, N bytes"
    assert [line for line in frames if "keep-alive" not in line][1:] == [event] * 3
    assert again[1].startswith(f"stream-reset {NEWS} at POSITION, ")
    assert again[-1].startswith("stream-close (shutdown), ")


async def test_no_logger_says_a_payload_a_key_a_grant_or_a_cookie(
    server: Server, log: Path
) -> None:
    with server.running():
        async with httpx.AsyncClient(base_url=server.url) as client:
            visitor = Visitor(server, client)
            await visitor.look("/chat")
            assert (
                await visitor.call("demo.Lobby", "join", data={"name": "anna"}) == 200
            )
            await visitor.look("/todo")
            secrets = [PAYLOAD, API_KEY, WRONG, *visitor.cookies.values()]
            secrets += [visitor.attribute("grant"), visitor.attribute("csrf")]
            secrets += [one["data-sse-state"] for one in roots(visitor.page)]
            assert len(secrets) >= 9
            await _over_sse(server, visitor)
            await _over_websocket(server, visitor)
            await _over_rest(server, client)
            await _over_calls(visitor)
    lines = _lines(log)
    assert len(lines) > 40
    assert {line.split()[0] for line in lines} >= {
        "sse_components.frames",
        "sse_components.stream",
        "django.request",
    }
    for secret in secrets:
        assert [line for line in lines if secret in line] == [], secret
        assert secret not in server.log


async def _over_sse(server: Server, visitor: Visitor) -> None:
    headers, url = visitor.headers, f"{server.url}/sse/stream"
    stream = await Stream.open(f"{url}?{visitor.query}", headers)
    await stream.until("keep-alive")
    assert await visitor.call("demo.TodoAdd", "add", args=[PAYLOAD]) == 200
    await stream.until("component.created")
    await stream.close()
    for query, given in [
        (f"group={NEWS}&group=orders.7", KEY),
        (f"grant={WRONG}", headers),
        (f"group={NEWS}", {"Authorization": f"Bearer {WRONG}"}),
        (visitor.query, {}),
        (f"group=session.{visitor.cookies['sessionid']}", {}),
    ]:
        stream = await Stream.open(f"{url}?{query}", given)
        assert (await stream.next()).type in ("stream-open", "stream-error")
        await stream.close()


async def _over_websocket(server: Server, visitor: Visitor) -> None:
    address = f"ws://{urlsplit(server.url).netloc}/sse/ws?{visitor.query}"
    async with connect(
        address,
        proxy=None,
        origin=Origin(server.url),
        additional_headers=visitor.headers,
    ) as socket:
        await _until(socket, "keep-alive")
        key = visitor.cookies["sessionid"]
        for said in (
            {"type": "subscribe", "groups": [NEWS, f"session.{key}"]},
            {"type": "subscribe", "grants": [visitor.attribute("grant"), WRONG]},
            {"type": WRONG, "groups": [WRONG]},
            {"type": "subscribe", "groups": WRONG},
            {"type": "unsubscribe", "groups": [f"session.{key}", f"\n{WRONG}"]},
        ):
            await socket.send(json.dumps(said))
        await socket.send(WRONG)
        await _publish(server, PAYLOAD)
        await socket.send('{"type":"ping"}')
        await _until(socket, "pong")


async def _until(socket: ClientConnection, type: str) -> None:
    async with asyncio.timeout(10):
        while json.loads(await socket.recv())["type"] != type:
            pass


async def _over_rest(server: Server, client: httpx.AsyncClient) -> None:
    address = f"/api/v1/groups/{NEWS}/notify"
    wrong = {"Authorization": f"Bearer {WRONG}"}
    for headers, body, status in (
        (KEY, {"event_name": PAYLOAD, "data": {"text": PAYLOAD}}, 202),
        (KEY, {"event_name": [PAYLOAD], PAYLOAD: 1}, 422),
        (wrong, {"event_name": PAYLOAD}, 401),
    ):
        answer = await client.post(address, json=body, headers=headers)
        assert answer.status_code == status


async def _over_calls(visitor: Visitor) -> None:
    add = "demo.TodoAdd"
    assert await visitor.call(add, "add", args=[PAYLOAD, PAYLOAD]) >= 400
    assert await visitor.call(add, "add", state=WRONG, args=[PAYLOAD]) >= 400
    assert await visitor.call(add, "no_such_method", args=[PAYLOAD]) >= 400
    await visitor.call(add, "_refresh", data={"draft": {"a": PAYLOAD}})
