"""A WebSocket as a transport of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sse_components.body import ClientGone
from sse_components.joined import Joined
from sse_components.requests import Send
from sse_components.wire import Farewell, Frame

FRAMES_ITSELF = "uvicorn.protocols.websockets.websockets_sansio_impl"
"""Of the protocols of uvicorn the one that leaves no state behind a message."""


class WebSocket:
    """Writes each frame as a text message; made in the task that serves it."""

    __slots__ = ("_connection", "_protocol", "_send", "_task", "_writable")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._task = asyncio.current_task()
        # What `send` is bound to is uvicorn's own affair; elsewhere there is none.
        self._protocol: Any = getattr(send, "__self__", None)
        self._connection: Any = getattr(self._protocol, "transport", None)
        self._writable: Any = None

    async def accept(self) -> None:
        await self._say({"type": "websocket.accept"})
        if type(self._protocol).__module__ == FRAMES_ITSELF:
            self._writable = self._protocol.writable

    def write_now(self, frames: Sequence[Frame]) -> bool:
        """Write past `send`, which costs more than the writing itself.

        Uncompressed, whatever was negotiated, as any message may be (RFC 7692 6).
        """
        if self._writable is None or not self._writable.is_set():
            return False
        if self._connection.is_closing() or self._protocol.close_sent:
            return False
        self._connection.write(_messages(frames))
        return True

    async def write(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            await self._say({"type": "websocket.send", "text": frame.text})

    async def end(self, farewell: Farewell) -> None:
        await self.write([farewell])
        await self._say({"type": "websocket.close", "code": farewell.code})

    def abort(self) -> None:
        # uvicorn keeps a connection until its client has read everything.
        if self._connection is not None:
            self._connection.abort()
        elif self._task:
            self._task.cancel()

    async def _say(self, message: dict[str, Any]) -> None:
        if self._connection is not None and self._connection.is_closing():
            raise ClientGone
        try:
            await self._send(message)
        except OSError as error:  # ASGI 2.4
            raise ClientGone from error


@Joined
def _messages(frames: Sequence[Frame]) -> bytes:
    """Return each frame as a text message that isn't masked (RFC 6455 5.2)."""
    return b"".join([_message(frame.json) for frame in frames])


def _message(text: bytes) -> bytes:
    size = len(text)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 2**16:
        head = b"\x81\x7e" + size.to_bytes(2)
    else:
        head = b"\x81\x7f" + size.to_bytes(8)
    return head + text
