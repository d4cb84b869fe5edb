"""docs/websocket.md: a server that is started so agrees to no compression."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.docs.pages import Page
from tests.servers import Server
from tests.tutorials import Block

PAGE = Page("websocket.md")


@PAGE.runs("Compression is off")
async def test_a_server_that_is_started_so_agrees_to_no_compression(
    blocks: list[Block], tmp_path_factory: pytest.TempPathFactory
) -> None:
    (command,) = blocks
    program, application, *options = shlex.split(command.text)
    assert program == "uvicorn"
    assert await _agreed(tmp_path_factory.mktemp("so"), application, options) == []
    agreed = await _agreed(tmp_path_factory.mktemp("else"), application, [])
    assert agreed == ["permessage-deflate"]


async def _agreed(folder: Path, application: str, options: Sequence[str]) -> list[str]:
    """Return what a server agrees to of what a browser offers."""
    with Server(folder, options, application=application).running() as server:
        url = f"ws://127.0.0.1:{server.port}/sse/ws"
        async with connect(
            url, compression="deflate", origin=Origin(server.url)
        ) as socket:
            return [extension.name for extension in socket.protocol.extensions]
