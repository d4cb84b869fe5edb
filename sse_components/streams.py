"""One SSE stream: who may open it, what it carries, its beginning and its end."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.core.exceptions import DisallowedHost

from sse_components import groups, hosts, runtime, visitors, wire
from sse_components.body import Body, ClientGone
from sse_components.errors import GrantInvalid
from sse_components.events import Position
from sse_components.grants import COOKIE, Grant
from sse_components.groups import Subject, Visitor
from sse_components.hub import Hub
from sse_components.places import Place
from sse_components.requests import Receive, Request, Scope, Send
from sse_components.wire import Frame

RETRY = 2000
"""Milliseconds after which a native EventSource comes back."""

Header = tuple[bytes, bytes]

HEADERS: list[Header] = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
PREFLIGHT: list[Header] = [
    (b"access-control-allow-methods", b"GET"),
    (b"access-control-allow-headers", b"authorization, last-event-id, x-api-key"),
]

logger = logging.getLogger("sse_components.stream")


async def stream(
    hub: Hub, group: str | None, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a stream of one group and nothing else, or, without one, of a page."""
    request = Request(scope)
    try:
        cors = _admit(request)
    except _Refused as refused:
        await _answer(send, refused)
        return
    body = Body(send)
    with suppress(ClientGone):
        await body.start(HEADERS + cors)
        place = runtime.places().take()
        if place is None:
            await body.end(hub.farewell("busy"))
            return
        try:
            opening = await _decide(hub, place, group, request)
            await _serve(hub, opening, body, receive)
        except _Ended as ended:
            await body.end(ended.frame)
        finally:
            place.give_back()


@dataclass(frozen=True, slots=True)
class _Opening:
    """A stream that may be opened."""

    allowed: Sequence[str]
    denied: Sequence[str]
    cursor: Position | None
    expires: int | None
    """When the first of its grants expires, in seconds since 1970."""


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


def _admit(request: Request) -> list[Header]:
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
    elif request.headers.get("sec-fetch-site") == "cross-site" or (
        origin is not None and hosts.is_foreign(origin, host)
    ):
        raise _Refused(403, "This origin is not allowed.")
    if request.method == "OPTIONS":
        raise _Refused(204, "", [*cors, *PREFLIGHT])
    if request.method != "GET":
        raise _Refused(405, "A stream is read with GET.", [(b"allow", b"GET, OPTIONS")])
    if request.wants_to_stop:
        # A native EventSource stops for good at this (WHATWG HTML 9.2.3).
        raise _Refused(204, "", cors)
    return cors


async def _decide(
    hub: Hub, place: Place, group: str | None, request: Request
) -> _Opening:
    """Find what the stream carries; raises `_Ended` if nothing."""
    settings = runtime.settings()
    if hub.draining:
        raise _Ended(hub.farewell("shutdown"))
    if request.is_too_long:
        text = "The query is longer than 64 KiB."
        raise _Ended(wire.stream_error("bad_request", text))
    asked = request.groups if group is None else [group]
    granted = _granted(request) if group is None else []
    rendered = [name for grant in granted for name in grant.groups]
    if len({*asked, *rendered}) > settings.max_groups:
        text = f"A stream carries at most {settings.max_groups} groups."
        raise _Ended(wire.stream_error("too_many_groups", text))
    is_page = group is None and not granted
    subject = await _subject(hub, request, asked, is_page=is_page)
    user = _user(granted, subject)
    if user is not None and not place.claim(user):
        most = settings.max_streams_per_user
        logger.warning("A user has %s streams in this process, and wants more", most)
        raise _Ended(hub.farewell("busy"))
    allowed, denied = await runtime.policy().allowed(subject, asked)
    if denied:
        logger.warning("Denied %s of %s groups asked for", len(denied), len(asked))
    automatic: list[str] = []
    if granted:
        automatic = groups.automatic_of(granted[0].user, granted[0].session)
    elif group is None and isinstance(subject, Visitor):
        automatic = groups.automatic(subject)
    carried = list(dict.fromkeys([*automatic, *rendered, *allowed]))
    if not carried:
        text = "None of the groups asked for is allowed."
        raise _Ended(wire.stream_error("forbidden", text, denied))
    expires = min((grant.expires for grant in granted), default=None)
    return _Opening(carried, denied, request.cursor, expires)


def _granted(request: Request) -> list[Grant]:
    """Read the grants of a page: of one visitor, in the browser they are for."""
    try:
        granted = [runtime.grants().read(text) for text in request.grants]
    except GrantInvalid as error:
        raise _Ended(wire.stream_error("grant_expired", str(error))) from None
    cookie = request.cookies.get(COOKIE)
    if not all(grant.is_for(cookie) for grant in granted):
        text = "The grant is another browser's."
        raise _Ended(wire.stream_error("forbidden", text))
    if len({grant.user for grant in granted}) > 1:
        text = "The grants are of several users."
        raise _Ended(wire.stream_error("bad_request", text))
    return granted


async def _subject(
    hub: Hub, request: Request, asked: Sequence[str], *, is_page: bool
) -> Subject:
    """Find who asks; a visitor isn't looked up where it makes no difference."""
    if keys := request.keys:
        for key in keys:
            if integrator := groups.authenticate(key):
                return integrator
        raise _Ended(wire.stream_error("forbidden", "The API key is not valid."))
    session_key = visitors.session_key(request.headers.get("cookie", ""))
    policy = runtime.policy()
    all_are_public = not is_page and all(policy.is_public(name) for name in asked)
    if session_key is None or all_are_public:
        return Visitor()
    try:
        return await runtime.pool().run(visitors.look_up, session_key)
    except Exception:
        logger.exception("A session could not be looked up")
        raise _Ended(hub.farewell("unavailable")) from None


def _user(granted: Sequence[Grant], subject: Subject) -> str | None:
    """Return whose stream it is, if it is a user's."""
    if granted and granted[0].user is not None:
        return granted[0].user
    if isinstance(subject, Visitor) and subject.user is not None:
        return str(subject.user.pk)
    return None


async def _serve(hub: Hub, opening: _Opening, body: Body, receive: Receive) -> None:
    connection = secrets.token_urlsafe(9)

    def greeting(id: Position | None) -> Frame:
        frame = wire.stream_open(
            id,
            connection=connection,
            groups=opening.allowed,
            denied=opening.denied,
            keep_alive=runtime.settings().keep_alive_seconds,
            retry=RETRY,
            expires=opening.expires and int(opening.expires - time.time()),
        )
        return frame.behind(wire.retry(RETRY))

    logger.info("Opened %s with %s groups", connection, len(opening.allowed))
    subscriber = await hub.open(body, opening.allowed, opening.cursor, greeting)
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        await hub.leave(subscriber)
        logger.info("Closed %s", connection)


async def _answer(send: Send, refused: _Refused) -> None:
    body = refused.text.encode()
    kind = [(b"content-type", b"text/plain; charset=utf-8")] if body else []
    headers = [*kind, *refused.headers]
    await send(
        {"type": "http.response.start", "status": refused.status, "headers": headers}
    )
    await send({"type": "http.response.body", "body": body})
