"""docs/protocol.md: a frame of a real stream is as it stands there."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.clients import Stream
from tests.docs.pages import Page
from tests.docs.written import assert_as_written
from tests.servers import Server
from tests.tutorials import Block

PAGE = Page("protocol.md")
BODY = {"data": {"headline": "Hello"}}


@PAGE.runs("What you hear")
async def test_what_is_published_comes_as_it_is_written(
    blocks: list[Block], tmp_path: Path
) -> None:
    (frame,) = blocks
    with Server(tmp_path).running() as server:
        stream = await Stream.open(f"{server.url}/sse/groups/news.updates")
        await stream.until("keep-alive")
        url = f"{server.url}/api/v1/groups/news.updates/data-changed"
        async with httpx.AsyncClient(headers=server.headers) as client:
            assert (await client.post(url, json=BODY)).status_code == 202
        *_, event = await stream.until("component.data_changed")
        await stream.close()
    assert_as_written(frame.text, "\n".join(f"{a}: {b}" for a, b in event.fields))
