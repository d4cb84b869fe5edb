"""The body of an HTTP response as a transport of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sse_components.joined import Joined
from sse_components.requests import Message, Send
from sse_components.wire import Farewell, Frame

CHUNKS_ITSELF = "uvicorn.protocols.http.httptools_impl"
"""Of the protocols of uvicorn the one that leaves no state behind a chunk."""


class ClientGone(ConnectionError):
    """There is nobody to write to any more."""


class Body:
    """Writes frames as server-sent events; made in the task that serves the request."""

    __slots__ = ("_connection", "_cycle", "_flow", "_protocol", "_send", "_task")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._task = asyncio.current_task()
        # What `send` is bound to is uvicorn's own affair; elsewhere there is none.
        self._cycle: Any = getattr(send, "__self__", None)
        self._connection: Any = getattr(self._cycle, "transport", None)
        self._protocol: Any = self._connection and self._connection.get_protocol()
        self._flow: Any = None

    async def start(self, headers: list[tuple[bytes, bytes]]) -> None:
        await self._say(
            {"type": "http.response.start", "status": 200, "headers": headers}
        )
        if type(self._cycle).__module__ == CHUNKS_ITSELF:
            self._flow = self._cycle.flow if self._cycle.chunked_encoding else None

    def write_now(self, frames: Sequence[Frame]) -> bool:
        """Write past `send`, which costs more than the writing itself."""
        if self._flow is None or self._flow.write_paused:
            return False
        if not self._is_ours() or self._cycle.response_complete:
            return False
        self._connection.write(_chunk(frames))
        return True

    async def write(self, frames: Sequence[Frame]) -> None:
        await self._say(
            {
                "type": "http.response.body",
                "body": b"".join([frame.sse for frame in frames]),
                "more_body": True,
            }
        )

    async def end(self, farewell: Farewell) -> None:
        await self._say({"type": "http.response.body", "body": farewell.sse})

    def abort(self) -> None:
        # uvicorn keeps a connection until its client has read everything.
        if self._connection is not None:
            self._connection.abort()
            self._disconnect()
        elif self._task:
            self._task.cancel()

    async def _say(self, message: Message) -> None:
        if self._connection is not None and not self._is_ours():
            if self._connection.is_closing():  # what was written may still be read
                self._disconnect()
            else:
                self.abort()
            raise ClientGone
        try:
            await self._send(message)
        except OSError as error:  # ASGI 2.4
            raise ClientGone from error

    def _is_ours(self) -> bool:
        # Who asks for a WebSocket over the connection of a stream gets one, and then
        # uvicorn tells the stream neither that it is full nor that it has gone.
        here = self._connection.get_protocol() is self._protocol
        return here and not self._connection.is_closing()

    def _disconnect(self) -> None:
        # Of pipelined requests uvicorn tells only the last that the client has gone,
        # and this one would wait for ever, also when the server is to stop.
        if hasattr(self._cycle, "disconnected") and hasattr(
            self._cycle, "message_event"
        ):
            self._cycle.disconnected = True
            self._cycle.message_event.set()


@Joined
def _chunk(frames: Sequence[Frame]) -> bytes:
    """Return frames as one chunk (RFC 9112 7.1)."""
    body = b"".join([frame.sse for frame in frames])
    return b"%x\r\n%b\r\n" % (len(body), body)
