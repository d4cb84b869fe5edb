"""A WebSocket in this process, without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from sse_components import runtime
from sse_components.testing.clients import StreamError, StreamOpener
from sse_components.testing.communicator import scope
from sse_components.testing.frames import ReceivedEvent


class WebSocketClient(StreamOpener):
    """Opens a WebSocket in `async with`, and iterates over its events."""

    @classmethod
    def _address(cls) -> str:
        return f"{runtime.settings().prefix}ws"

    def _scope(self) -> dict[str, Any]:
        headers = self._all_headers()
        origin = {"Origin": f"http://{headers.get('Host', 'testserver')}"}
        opening = scope(self._target, origin | headers)
        del opening["method"]
        return opening | {"type": "websocket"}

    async def _begin(self) -> None:
        await self._messages.say("websocket.connect")
        if (await self._messages.hear())["type"] != "websocket.accept":
            raise StreamError("The WebSocket was not accepted.", 403)

    async def _read(self) -> list[ReceivedEvent]:
        message = await self._messages.hear()
        if message["type"] == "websocket.close":
            raise EOFError
        data = json.loads(message["text"])
        return [ReceivedEvent(data["type"], data, data.get("id"))]

    async def _say_goodbye(self) -> None:
        await self._messages.say("websocket.disconnect", code=1001)

    async def subscribe(
        self,
        *groups: str,
        grants: Iterable[str] = (),
        last_event_id: str | None = None,
    ) -> dict[str, str]:
        """Ask for more groups; return the status of each, `error` if it is denied.

        Raises `StreamError` if that is refused as a whole.
        """
        asked = {"groups": groups, "grants": [*grants], "last_event_id": last_event_id}
        return await self._ask(type="subscribe", **asked)

    async def unsubscribe(self, *groups: str) -> dict[str, str]:
        """Leave groups; return the status of each.

        Raises `StreamError` if that is refused as a whole.
        """
        return await self._ask(type="unsubscribe", groups=groups)

    async def ping(self) -> str:
        """Return the id up to which everything has come."""
        async with asyncio.timeout(self._seconds):
            await self._say(type="ping")
            return (await self._until_pong())[-1].data["id"]  # type: ignore[no-any-return]

    async def _ask(self, **said: Any) -> dict[str, str]:
        async with asyncio.timeout(self._seconds):
            await self._say(**said)
            await self._say(type="ping")  # answered after all that
            frames = await self._until_pong()
        for frame in frames:
            if frame.type == "stream-error":
                raise StreamError(f"It was refused: {frame}", frame=frame)
        answers: dict[str, str] = {
            frame.data["group"]: frame.data["status"]
            for frame in frames
            if frame.type == "subscription.response"
        }
        left = {name for name, status in answers.items() if status == "unsubscribed"}
        self.groups = [name for name in self.groups if name not in left]
        self.groups += [
            name for name, status in answers.items() if status == "subscribed"
        ]
        return answers

    async def _until_pong(self) -> list[ReceivedEvent]:
        frames = await self._receive()
        while frames[-1].type != "pong":
            frames += await self._receive()
        self._unread += frames
        return frames

    async def _say(self, **said: Any) -> None:
        await self._messages.say("websocket.receive", text=json.dumps(said))
