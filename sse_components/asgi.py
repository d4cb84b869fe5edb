"""The ASGI application: lifespan and streams here, everything else to Django."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any
from urllib.parse import quote

from django.core.asgi import get_asgi_application as get_django_application

from sse_components import runtime
from sse_components.streams import Receive, Scope, Send, stream

__all__ = ["Application", "get_asgi_application"]

DRAIN_SECONDS = 1.5
"""How long ended streams have to take their last frame, before they are cut."""

logger = logging.getLogger("sse_components.asgi")


def get_asgi_application() -> Application:
    """Return the application to serve: Django's, with streams beside it."""
    return Application(get_django_application())


class Application:
    """Answers the addresses below the prefix, and passes on what it doesn't know."""

    def __init__(self, django: Callable[..., Any]) -> None:
        self._django = django
        self._draining: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 4400})
        elif (names := _stream_of(scope)) is not None:
            await stream(await runtime.start(), names, scope, receive, send)
        else:
            await self._django(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await runtime.start()
                except Exception as error:
                    logger.exception("Streams can't be served")
                    answer = {"type": "lifespan.startup.failed", "message": str(error)}
                    await send(answer)
                    return
                _cut_queries_out_of_the_log()
                self._drain_on_signals()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._drain()
                await runtime.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _drain_on_signals(self) -> None:
        """End streams when the server is told to stop, which it won't tell us itself.

        uvicorn waits for open responses before it says `lifespan.shutdown`, so an
        open stream would keep it for ever. Its handlers are there already; ours go
        first and then call them.
        """
        loop = asyncio.get_running_loop()

        def begin() -> None:
            if self._draining is None:
                self._draining = loop.create_task(self._drain())

        for number in (signal.SIGTERM, signal.SIGINT):
            following = signal.getsignal(number)

            def handle(
                number: int, frame: FrameType | None, following: Any = following
            ) -> None:
                loop.call_soon_threadsafe(begin)
                if callable(following):
                    following(number, frame)

            try:
                signal.signal(number, handle)
            except ValueError:  # not in the main thread, where signals don't arrive
                return

    async def _drain(self) -> None:
        hub = await runtime.start()
        await hub.drain(DRAIN_SECONDS)


def _stream_of(scope: Scope) -> str | None:
    """Return the one group of `groups/{group}`, "" for `stream`, None for Django's."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    prefix = runtime.settings().prefix
    if not path.startswith(prefix):
        return None
    kind, _, name = path.removeprefix(prefix).partition("/")
    if kind == "stream" and not name:
        return ""
    return name or None if kind == "groups" else None


def _cut_queries_out_of_the_log() -> None:
    """Keep grants and groups out of uvicorn's log: they stand in a stream's query."""
    prefix = quote(runtime.settings().prefix)

    def cut(record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(shortened, record.args))
        return True

    def shortened(argument: object) -> object:
        # An address as uvicorn logs it begins with the root path, if there is one.
        path = argument.partition("?")[0] if isinstance(argument, str) else ""
        return path if prefix in path else argument

    for name in ("uvicorn.access", "uvicorn.error"):  # the latter for WebSockets
        logging.getLogger(name).addFilter(cut)
