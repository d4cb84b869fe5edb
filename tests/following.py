"""Reads a stream as a browser does, through whatever stands in front of the server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse

SECONDS = 10


class Frames:
    """What comes of a stream."""

    def __init__(self, source: httpx.Response, frames: AsyncIterator[ServerSentEvent]):
        self.headers = source.headers
        self._frames = frames

    async def next(self, type: str, seconds: float = SECONDS) -> ServerSentEvent:
        """Return the next one of a type; EOFError: the stream has ended."""
        async with asyncio.timeout(seconds):
            async for frame in self._frames:
                if frame.event == type:
                    return frame
        raise EOFError


@asynccontextmanager
async def follow(
    url: str, encoding: str = "gzip", trusted: ssl.SSLContext | bool = True
) -> AsyncIterator[Frames]:
    """Open a stream; return when the head of its answer has come."""
    headers = {"Accept-Encoding": encoding}
    async with (
        httpx.AsyncClient(timeout=SECONDS, verify=trusted) as client,
        aconnect_sse(client, "GET", url, headers=headers) as source,
        aclosing(source.aiter_sse()) as frames,
    ):
        yield Frames(source.response, frames)
