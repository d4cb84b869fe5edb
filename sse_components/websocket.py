"""A WebSocket as a transport of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sse_components.body import ClientGone
from sse_components.requests import Send
from sse_components.wire import Farewell, Frame


class WebSocket:
    """Writes each frame as a text message; made in the task that serves it."""

    __slots__ = ("_protocol", "_send", "_task")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._task = asyncio.current_task()
        # What `send` is bound to is uvicorn's own affair; elsewhere there is none.
        self._protocol: Any = getattr(send, "__self__", None)

    async def accept(self) -> None:
        await self._say({"type": "websocket.accept"})

    async def write(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            await self._say({"type": "websocket.send", "text": frame.text})

    async def end(self, farewell: Farewell) -> None:
        await self.write([farewell])
        await self._say({"type": "websocket.close", "code": farewell.code})

    def abort(self) -> None:
        # uvicorn keeps a connection until its client has read everything.
        if (connection := self._connection) is not None:
            connection.abort()
        elif self._task:
            self._task.cancel()

    @property
    def _connection(self) -> Any:
        return getattr(self._protocol, "transport", None)

    async def _say(self, message: dict[str, Any]) -> None:
        connection = self._connection
        if connection is not None and connection.is_closing():
            raise ClientGone
        try:
            await self._send(message)
        except OSError as error:  # ASGI 2.4
            raise ClientGone from error
