"""The ASGI application: lifespan and streams here, other requests to Django."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from django.core.asgi import get_asgi_application as get_django_application
from django.core.exceptions import ImproperlyConfigured

from sse_components import bundles, conf, runtime, workers
from sse_components.access_log import QueriesCut
from sse_components.edge.control import Control
from sse_components.edge.relay import Relay
from sse_components.edge.signatures import HEADER, is_from_proxy
from sse_components.errors import BrokerRefused
from sse_components.hub import Hub
from sse_components.requests import Receive, Scope, Send
from sse_components.sockets import socket
from sse_components.stop_signals import StopSignals
from sse_components.streams import Header, stream

__all__ = ["Application", "get_asgi_application"]

DRAIN_SECONDS = 1.5
"""How long ended streams have to take their last frame, before they are cut."""

REFUSAL = (
    b"The embedded broker is one process, and another one serves. The log of the "
    b"server says what to do."
)

logger = logging.getLogger("sse_components.asgi")


def get_asgi_application() -> Application:
    """Return the application to serve: Django's, with streams beside it."""
    return Application(get_django_application())


class Application:
    """Answers lifespan and streams; passes requests on, but no other WebSocket."""

    def __init__(self, django: Callable[..., Any]) -> None:
        self._django = django
        self._was_refused = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif not await self._may_serve():
            await _refuse(scope, receive, send)
        elif scope["type"] == "websocket":
            await _websocket(scope, receive, send)
        elif _is_for_proxy(path := _below_prefix(scope), scope):
            await _have_streams()
            await self._django(scope, receive, send)
        elif path == "stream":
            await stream(await runtime.start(), None, scope, receive, send)
        elif path.startswith("groups/") and path != "groups/":
            group = path.removeprefix("groups/")
            await stream(await runtime.start(), group, scope, receive, send)
        elif path.startswith("static/"):
            await _bundle(path.removeprefix("static/"), send)
        else:
            await _have_streams()
            await self._django(scope, receive, send)

    async def _may_serve(self) -> bool:
        """Whether no other process of the server does, where no lifespan has found out.

        One that may not serves nothing at all: its pages would be without events, and
        what they publish would reach nobody.
        """
        if runtime.hub() is not None:
            return True
        patience = 0 if self._was_refused else workers.PATIENCE_SECONDS
        try:
            await _refuse_a_second(patience)
        except ImproperlyConfigured as error:
            if not self._was_refused:
                logger.error("Nothing is served by this process: %s", error)
            self._was_refused = True
            return False
        return True


async def _refuse_a_second(patience: float = workers.PATIENCE_SECONDS) -> None:
    if runtime.settings().broker_url == conf.EMBEDDED:
        await workers.refuse_a_second(patience)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": 1013})
    else:
        await _answer(send, 503, "text/plain", REFUSAL)


async def _have_streams() -> None:
    """Begin to serve streams where the server has no lifespan: its pages name them."""
    if runtime.hub() is None:
        with suppress(BrokerRefused):  # which each stream says
            await runtime.start()


async def _websocket(scope: Scope, receive: Receive, send: Send) -> None:
    if _below_prefix(scope) == "ws":
        await socket(await runtime.start(), scope, receive, send)
    else:
        await send({"type": "websocket.close"})


def _is_for_proxy(path: str, scope: Scope) -> bool:
    """Whether a proxy asks for a stream that it would hold itself."""
    if path != "stream" and not path.startswith("groups/"):
        return False
    if scope["method"] != "GET" or not runtime.settings().grip_key:
        return False
    given = dict(scope["headers"]).get(HEADER.encode(), b"")
    return is_from_proxy(given.decode("latin-1"))


def _below_prefix(scope: Scope) -> str:
    """Return what follows the prefix in an address of ours, "" for all others."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    prefix = runtime.settings().prefix
    return path.removeprefix(prefix) if path.startswith(prefix) else ""


async def _bundle(name: str, send: Send) -> None:
    found = bundles.content(name)
    status, (kind, body) = (200, found) if found else (404, ("text/plain", b""))
    cache = [(b"cache-control", bundles.cache_control(name).encode())] if found else []
    await _answer(send, status, kind, body, cache)


async def _answer(
    send: Send, status: int, kind: str, body: bytes, more: Sequence[Header] = ()
) -> None:
    length = b"%d" % len(body)
    headers = [(b"content-type", kind.encode()), (b"content-length", length), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    """Serve streams from the server's start until it stops; always answers."""
    await receive()
    try:
        await _refuse_a_second()
        hub = await runtime.start()
    except Exception as error:
        known = isinstance(error, ImproperlyConfigured | BrokerRefused)
        logger.error("Streams can't be served: %s", error, exc_info=not known)
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    drain = _Drain(hub)
    signals = StopSignals(drain.begin_from_anywhere)
    log = QueriesCut(runtime.settings().prefix)
    signals.install()
    log.install()
    numbers = ExitStack()
    relaying = None
    try:
        relaying = _start_to_relay()
        _count_for_others(numbers, hub)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await drain.finish()
        await _end(relaying)
        await runtime.stop()
        await send({"type": "lifespan.shutdown.complete"})
    finally:
        if relaying:
            relaying.cancel()
        numbers.close()
        signals.uninstall()
        log.uninstall()


def _start_to_relay() -> asyncio.Task[None] | None:
    """Publish to the proxy what the embedded broker announces to nobody else."""
    settings = runtime.settings()
    if not settings.grip_url or settings.broker_url != conf.EMBEDDED:
        return None
    control = Control(settings.grip_url)
    relaying = asyncio.create_task(Relay(runtime.broker(), control.publish).run())

    def over(task: asyncio.Task[None]) -> None:
        control.close()
        if not task.cancelled():
            logger.critical("The relay has failed", exc_info=task.exception())

    relaying.add_done_callback(over)
    return relaying


async def _end(task: asyncio.Task[None] | None) -> None:
    if task:
        task.cancel()
        await asyncio.wait([task])


def _count_for_others(stack: ExitStack, hub: Hub) -> None:
    """Serve metrics, if a setting says where."""
    host, _, port = runtime.settings().metrics.rpartition(":")
    if not port:
        return
    try:
        from sse_components import metrics
    except ImportError:
        logger.error("METRICS needs prometheus-client, which isn't installed")
        return
    numbers = metrics.Numbers(hub, runtime.broker(), runtime.requests())
    stack.enter_context(metrics.served(host, int(port), numbers))


class _Drain:
    """Ends the streams of a hub once, whoever asks first."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def begin_from_anywhere(self) -> None:
        with suppress(RuntimeError):  # the loop has closed, and its streams with it
            self._loop.call_soon_threadsafe(self._begin)

    async def finish(self) -> None:
        await self._begin()

    def _begin(self) -> asyncio.Task[None]:
        if self._task is None:
            self._task = self._loop.create_task(self._hub.drain(DRAIN_SECONDS))
        return self._task
