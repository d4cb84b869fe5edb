from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from tests.following import follow
from tests.nginx import running_nginx
from tests.servers import Server

TARGET = "/sse/groups/news.updates"
AT_ONCE = 1
"""Ten times what A64 allows, because the machine may be busy."""

HTTP = """    gzip on;
    gzip_types text/event-stream;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {url};
        }}
        location /recommended/ {{
            proxy_pass {url}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 75s;
        }}
        location /ignorant/ {{
            proxy_pass {url}/;
            proxy_ignore_headers X-Accel-Buffering;
        }}
    }}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with a keep-alive in every second."""
    server = Server(
        tmp_path_factory.mktemp("server"),
        environment={"SETTINGS": '{"KEEP_ALIVE_SECONDS": 1}'},
        application="tests.e2e.redis.site:application",
    )
    server.start()
    yield server
    assert server.stop() == 0
    assert "Traceback" not in server.log


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[str]:
    """The address of an nginx before the server."""
    folder = tmp_path_factory.mktemp("nginx")
    with running_nginx(folder, HTTP, server.url) as url:
        yield url
    assert "[error]" not in (folder / "error.log").read_text()


async def publish(server: Server) -> str:
    async with httpx.AsyncClient(headers=server.headers) as client:
        url = f"{server.url}/api/v1/groups/news.updates/data-changed"
        answer = await client.post(url, json={"data": {"headline": "Hello"}})
    assert answer.status_code == 202
    id: str = answer.json()["id"]
    return id


# A64
@pytest.mark.alone
@pytest.mark.parametrize("location", ["", "/recommended"])
async def test_nginx_passes_each_frame_on_at_once(
    location: str, nginx: str, server: Server
) -> None:
    start = time.monotonic()
    async with follow(nginx + location + TARGET) as frames:
        await frames.next("stream-open")
        assert time.monotonic() - start < AT_ONCE
        for _ in range(2):
            await frames.next("keep-alive")
            id = await publish(server)
            event = await frames.next("component.data_changed", AT_ONCE)
            assert event.id == id


# Were it not for X-Accel-Buffering, the test above would fail.
async def test_the_same_nginx_holds_back_what_it_compresses_without_the_header(
    nginx: str, server: Server
) -> None:
    async def first_frame() -> None:
        async with follow(f"{nginx}/ignorant{TARGET}") as frames:
            await frames.next("stream-open")

    held = asyncio.create_task(first_frame())
    try:
        async with follow(f"{nginx}/ignorant{TARGET}", "identity") as frames:
            await publish(server)
            await frames.next("component.data_changed")
            await frames.next("keep-alive")
        assert not held.done()
    finally:
        held.cancel()
        with suppress(asyncio.CancelledError):
            await held
