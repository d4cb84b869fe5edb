"""One SSE stream: who is answered by a status, its beginning and its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.core.exceptions import DisallowedHost

from sse_components import hosts, overhearing, runtime
from sse_components.admission import Ended, decide, enter
from sse_components.body import Body, ClientGone
from sse_components.hub import Hub
from sse_components.requests import Receive, Request, Scope, Send
from sse_components.wire import Farewell

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
        cors = admit(request)
    except Refused as refused:
        await _answer(send, refused)
        return
    body = Body(send)
    try:
        await body.start(HEADERS + cors)
        place = runtime.places().take()
        if place is None:
            await _refuse(body, hub.farewell("busy"))
            return
        try:
            opening = await decide(hub, place, request, group)
            opened = enter(hub, opening, body, "sse")
            # All that is here stays for as long as the stream, and there are many.
            del request, opening
            connection, subscriber = await opened
            del opened
            try:
                while (await receive())["type"] != "http.disconnect":
                    pass
            finally:
                await hub.leave(subscriber)
                logger.info("Closed %s", connection)
        except Ended as ended:
            await _refuse(body, ended.frame)
        finally:
            place.give_back()
    except ClientGone:
        return  # there is nobody to be told anything


async def _refuse(body: Body, farewell: Farewell) -> None:
    await body.end(farewell)
    overhearing.tell(overhearing.NOBODY, farewell)


class Refused(Exception):
    """Answered with a status, before anything is known of the stream."""

    def __init__(self, status: int, text: str, headers: Sequence[Header] = ()) -> None:
        self.status = status
        self.text = text
        self.headers = headers


def admit(request: Request) -> list[Header]:
    """Refuse what isn't for us; return the headers that the rest is answered with."""
    try:
        host = hosts.host_of(request.headers, request.server)
    except DisallowedHost:
        raise Refused(400, "This host is not one of ours.") from None
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
        raise Refused(403, "This origin is not allowed.")
    if request.method == "OPTIONS":
        raise Refused(204, "", [*cors, *PREFLIGHT])
    if request.method != "GET":
        raise Refused(405, "A stream is read with GET.", [(b"allow", b"GET, OPTIONS")])
    if request.wants_to_stop:
        # A native EventSource stops for good at this (WHATWG HTML 9.2.3).
        raise Refused(204, "", cors)
    return cors


async def _answer(send: Send, refused: Refused) -> None:
    body = refused.text.encode()
    kind = [(b"content-type", b"text/plain; charset=utf-8")] if body else []
    headers = [*kind, *refused.headers]
    await send(
        {"type": "http.response.start", "status": refused.status, "headers": headers}
    )
    await send({"type": "http.response.body", "body": body})
