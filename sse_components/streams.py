"""One SSE stream: who asks for what, the refusals, the frames."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

from django.core.exceptions import DisallowedHost

from sse_components import groups, hosts, runtime, visitors, wire
from sse_components.errors import InvalidCursor
from sse_components.events import Position
from sse_components.groups import Subject, Visitor
from sse_components.hub import Hub
from sse_components.wire import Frame

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

MAX_QUERY = 64 * 1024
RETRY = 2000
UNREADABLE = Position("", 0)
"""Stands for a cursor that isn't one: of an epoch that no broker has."""

HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]

PREFLIGHT = [
    (b"access-control-allow-methods", b"GET"),
    (b"access-control-allow-headers", b"authorization, last-event-id, x-api-key"),
]

logger = logging.getLogger("sse_components.stream")


async def stream(
    hub: Hub, group: str, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a stream of one group and nothing else, or, without one, of a page."""
    request = _Request(scope)
    try:
        cors = _admit(request)
    except _Refused as refused:
        await _answer(send, refused)
        return
    if _cursor_text(request) == wire.STOP:
        # A native EventSource stops for good at this (WHATWG HTML 9.2.3).
        await _answer(send, _Refused(204, "", cors))
        return
    await send(
        {"type": "http.response.start", "status": 200, "headers": HEADERS + cors}
    )
    transport = _Body(send)
    with suppress(OSError):  # which says only that the client has gone
        try:
            opening = await _decide(hub, group, request)
        except _Ended as ended:
            await transport.end(ended.frame)
        else:
            await _serve(hub, opening, transport, receive)


async def _serve(
    hub: Hub, opening: _Opening, transport: _Body, receive: Receive
) -> None:
    connection = secrets.token_urlsafe(9)

    def greeting(id: Position | None) -> Frame:
        frame = wire.stream_open(
            id,
            connection=connection,
            groups=opening.allowed,
            denied=opening.denied,
            keep_alive=runtime.settings().keep_alive_seconds,
            retry=RETRY,
            expires=None,
        )
        frame.sse = wire.retry(RETRY) + frame.sse
        return frame

    logger.info("Opened %s with %s groups", connection, len(opening.allowed))
    subscriber = await hub.open(transport, opening.allowed, opening.cursor, greeting)
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        await hub.leave(subscriber)
        logger.info("Closed %s", connection)


class _Request:
    """What a stream reads of its scope."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.server: tuple[str, int | None] | None = scope.get("server")
        query: bytes = scope["query_string"]
        self.query_size = len(query)
        self.query = (
            parse_qs(query.decode("latin-1"), keep_blank_values=True)
            if len(query) <= MAX_QUERY
            else {}
        )
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = (
                f"{self.headers[key]},{text}" if key in self.headers else text
            )

    @property
    def key(self) -> str | None:
        """The API key, if there is one."""
        kind, _, key = self.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and key:
            return key.strip()
        return self.headers.get("x-api-key")


class _Opening:
    """A stream that may be opened."""

    __slots__ = ("allowed", "cursor", "denied")

    def __init__(
        self, allowed: Sequence[str], denied: Sequence[str], cursor: Position | None
    ) -> None:
        self.allowed = allowed
        self.denied = denied
        self.cursor = cursor


class _Refused(Exception):
    """Answered with a status, before anything is known of the stream."""

    def __init__(self, status: int, text: str, headers: Sequence[Header] = ()) -> None:
        self.status = status
        self.text = text
        self.headers = headers


class _Ended(Exception):
    """Answered by one frame: a native EventSource would give up at any other status."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame


class _Body:
    """The body of a response as a transport."""

    __slots__ = ("_connection", "_cycle", "_send", "_task")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._task = asyncio.current_task()
        # What `send` is bound to is uvicorn's own affair; elsewhere there is none.
        self._cycle: Any = getattr(send, "__self__", None)
        self._connection: Any = getattr(self._cycle, "transport", None)

    async def write(self, frames: Sequence[Frame]) -> None:
        self._check()
        body = (
            frames[0].sse
            if len(frames) == 1
            else b"".join([frame.sse for frame in frames])
        )
        await self._send(
            {"type": "http.response.body", "body": body, "more_body": True}
        )

    async def end(self, frame: Frame) -> None:
        self._check()
        await self._send({"type": "http.response.body", "body": frame.sse})

    def abort(self) -> None:
        # uvicorn keeps a connection until its client has read everything.
        if self._connection is not None:
            self._connection.abort()
            self._disconnect()
        elif self._task:
            self._task.cancel()

    def _check(self) -> None:
        if self._connection is not None and self._connection.is_closing():
            self._disconnect()
            raise ConnectionAbortedError

    def _disconnect(self) -> None:
        # Of pipelined requests uvicorn tells only the last that the client has gone,
        # and this one would wait for ever, also when the server is to stop.
        if hasattr(self._cycle, "disconnected") and hasattr(
            self._cycle, "message_event"
        ):
            self._cycle.disconnected = True
            self._cycle.message_event.set()


def _admit(request: _Request) -> list[Header]:
    """Refuse what isn't for us; return the headers that the rest is answered with."""
    try:
        host = hosts.host_of(request.headers, request.server)
    except DisallowedHost:
        raise _Refused(400, "This host is not one of ours.") from None
    origin = request.headers.get("origin")
    cors: list[Header] = []
    if origin and origin in runtime.settings().allowed_origins:
        cors = [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"vary", b"Origin"),
        ]
    elif (
        hosts.is_foreign(origin, host)
        if origin
        else request.headers.get("sec-fetch-site") == "cross-site"
    ):
        raise _Refused(403, "This origin is not allowed.")
    if request.method == "OPTIONS":
        raise _Refused(204, "", [*cors, *PREFLIGHT])
    if request.method != "GET":
        raise _Refused(405, "A stream is read with GET.", [(b"allow", b"GET, OPTIONS")])
    return cors


async def _decide(hub: Hub, group: str, request: _Request) -> _Opening:
    """Find what the stream carries; raises `_Ended` if nothing."""
    settings = runtime.settings()
    if hub.draining:
        raise _Ended(hub.farewell("shutdown"))
    if hub.connections >= settings.max_streams:
        raise _Ended(hub.farewell("busy"))
    if request.query_size > MAX_QUERY:
        raise _Ended(
            wire.stream_error("bad_request", "The query is longer than 64 KiB.")
        )
    asked = list(dict.fromkeys([group] if group else request.query.get("group", [])))
    if len(asked) > settings.max_groups:
        raise _Ended(
            wire.stream_error(
                "too_many_groups",
                f"A stream carries at most {settings.max_groups} groups.",
            )
        )
    subject = await _subject(hub, request, asked, automatic=not group)
    allowed, denied = await runtime.policy().allowed(subject, asked)
    if denied:
        logger.warning("Denied %s of %s groups asked for", len(denied), len(asked))
    if denied and not allowed:
        raise _Ended(
            wire.stream_error(
                "forbidden", "None of the groups asked for is allowed.", denied
            )
        )
    if not group and isinstance(subject, Visitor):
        allowed = list(dict.fromkeys([*groups.automatic(subject), *allowed]))
    return _Opening(allowed, denied, _cursor(request))


async def _subject(
    hub: Hub, request: _Request, asked: Sequence[str], *, automatic: bool
) -> Subject:
    """Find who asks; a visitor isn't looked up where it makes no difference."""
    if key := request.key:
        integrator = groups.authenticate(key)
        if integrator is None:
            raise _Ended(wire.stream_error("forbidden", "The API key is not valid."))
        return integrator
    session_key = visitors.session_key(request.headers.get("cookie", ""))
    policy = runtime.policy()
    if session_key is None or (
        not automatic and all(policy.is_public(name) for name in asked)
    ):
        return Visitor()
    try:
        return await runtime.pool().run(visitors.look_up, session_key)
    except Exception:
        logger.exception("A session could not be looked up")
        raise _Ended(hub.farewell("unavailable")) from None


def _cursor(request: _Request) -> Position | None:
    text = _cursor_text(request)
    if not text:
        return None
    try:
        return wire.parse_cursor(text)
    except InvalidCursor:
        return UNREADABLE


def _cursor_text(request: _Request) -> str:
    """The header wins: a native EventSource keeps the query of its first request."""
    query = request.query
    given = [*query.get("last_event_id", []), *query.get("lastEventId", [])]
    return request.headers.get("last-event-id") or (given[-1] if given else "")


async def _answer(send: Send, refused: _Refused) -> None:
    body = refused.text.encode()
    kind = [(b"content-type", b"text/plain; charset=utf-8")] if body else []
    await send(
        {
            "type": "http.response.start",
            "status": refused.status,
            "headers": [*kind, *refused.headers],
        }
    )
    await send({"type": "http.response.body", "body": body})
