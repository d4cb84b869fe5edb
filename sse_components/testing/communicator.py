"""ASGI messages in this process: one side says them, an application answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from asgiref.testing import ApplicationCommunicator

App = Callable[..., Awaitable[None]]


class Communicator:
    """Says messages to an application and hears what it says."""

    def __init__(self, app: App, scope: Mapping[str, Any]) -> None:
        self._inner: Any = ApplicationCommunicator(app, dict(scope))  # type: ignore[no-untyped-call]
        self._said: asyncio.Queue[dict[str, Any] | None] = self._inner.output_queue
        self._inner.future.add_done_callback(self._end)

    async def say(self, type: str, **fields: Any) -> None:
        """Say a message; raises what the application has raised."""
        await self._inner.send_input({"type": type, **fields})

    async def hear(self) -> dict[str, Any]:
        """Return the next message; raises what the application has raised instead.

        `EOFError` if it has returned and nothing more will come.
        """
        message = await self._said.get()
        if message is None:
            self._end()
            self._inner.future.result()
            raise EOFError
        return message

    async def finished(self, seconds: float = 10) -> None:
        """Return when the application has; raises what it raised."""
        await self._inner.wait(seconds)

    def _end(self, *_: object) -> None:
        self._said.put_nowait(None)


def scope(
    target: str,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    root_path: str = "",
) -> dict[str, Any]:
    """Return the scope of a request as uvicorn would make it."""
    path, _, query = target.partition("?")
    given = {"Host": "testserver"} | dict(headers or {})
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": root_path + unquote(path),
        "raw_path": (root_path + path).encode(),
        "root_path": root_path,
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in given.items()
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
