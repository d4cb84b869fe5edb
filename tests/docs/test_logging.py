"""docs/logging.md: with its configuration a server says what it should."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.clients import Stream
from tests.docs.pages import Page
from tests.docs.projects import ASGI, Project
from tests.docs.written import assert_as_written
from tests.servers import Server
from tests.tutorials import Block

PAGE = Page("logging.md")

SPEAK = """
import logging

for name in ("stream", "hub"):
    for level in ("info", "warning"):
        say = getattr(logging.getLogger(f"sse_components.{name}"), level)
        say("%s %s", name, level)
"""


@PAGE.runs("# What is logged")
async def test_all_is_printed_but_each_page_that_is_opened(
    blocks: list[Block], tmp_path_factory: pytest.TempPathFactory
) -> None:
    (configuration,) = blocks
    quiet = await _log(tmp_path_factory.mktemp("quiet"), configuration.text)
    assert "Opened " not in quiet
    for line in ("stream warning", "hub info", "hub warning"):
        assert line in quiet.splitlines()
    assert "stream info" not in quiet.splitlines()
    loud = configuration.text.replace('"level": "WARNING"', '"level": "INFO"')
    spoken = await _log(tmp_path_factory.mktemp("loud"), loud)
    assert "Opened " in spoken
    assert "stream info" in spoken.splitlines()


async def _log(folder: Path, configuration: str) -> str:
    project = Project(folder, {"shop/models.py": ""}, configuration)
    project.manage("migrate", "--verbosity=0")
    project.write("mysite/asgi.py", ASGI + SPEAK)
    with project.server.running() as server:
        stream = await Stream.open(f"{server.url}/sse/groups/news.updates")
        await stream.next()
        await stream.close()
    return project.server.log


@PAGE.runs("Frames")
async def test_frames_are_printed_as_they_stand_there(
    blocks: list[Block], tmp_path: Path
) -> None:
    configuration, printed = blocks
    project = Project(tmp_path, {"shop/models.py": ""}, configuration.text)
    project.manage("migrate", "--verbosity=0")
    project.server.start()
    try:
        name = await _converse(project.server)
    finally:
        project.server.close()
    written = printed.text.replace(printed.text.split()[0], name)
    log = project.server.log.replace("(shutdown), 55", "(shutdown), 56")  # of its retry
    found = [line for line in log.splitlines() if line[:12] == name]
    assert_as_written(_without_silence(written.splitlines()), _without_silence(found))


def _without_silence(lines: list[str]) -> str:
    """Return lines without the keep-alives, of which there may be more or fewer."""
    return "\n".join(line for line in lines if " keep-alive " not in line)


async def _converse(server: Server) -> str:
    """Say what stands there over a WebSocket; return the connection's name."""
    address = f"ws://{urlsplit(server.url).netloc}/sse/ws?group=news.updates"
    async with connect(address, proxy=None, origin=Origin(server.url)) as socket:

        async def until(type: str) -> str:
            async with asyncio.timeout(10):
                while (frame := json.loads(await socket.recv()))["type"] != type:
                    pass
            return str(frame.get("connection"))

        name = await until("stream-open")
        await socket.send('{"type":"subscribe","groups":["news.sport"]}')
        await until("subscription.response")
        async with httpx.AsyncClient(headers=server.headers) as client:
            url = f"{server.url}/api/v1/groups/news.updates/data-changed"
            await client.post(url, json={"data": {"headline": "Hello"}})
        await until("component.data_changed")
        await socket.send('{"type":"ping"}')
        await until("pong")
        ended = asyncio.create_task(until("stream-close"))
        await asyncio.to_thread(server.stop)
        await ended
    return name
