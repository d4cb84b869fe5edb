"""One WebSocket: a stream whose groups can be changed while it goes on."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.core.exceptions import DisallowedHost

from sse_components import hosts, overhearing, runtime, wire
from sse_components.admission import (
    Denied,
    Ended,
    Opening,
    decide,
    enter,
    find_subject,
    granted,
    is_current,
    placed,
    recalled,
    split,
    whose_of,
)
from sse_components.body import ClientGone
from sse_components.errors import InvalidCursor
from sse_components.hub import Hub
from sse_components.requests import UNREADABLE, Message, Receive, Request, Scope, Send
from sse_components.subscriber import Subscriber
from sse_components.websocket import WebSocket

MAX_MESSAGE = 64 * 1024
"""Characters of what a client may say at a time."""
MAX_FAULTS = 10
"""So many times a client may say what makes no sense; the last ends the stream."""

logger = logging.getLogger("sse_components.stream")


async def socket(hub: Hub, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a WebSocket of a page."""
    request = Request(scope)
    await receive()  # websocket.connect
    if not _is_ours(request):
        await send({"type": "websocket.close", "code": 4403})
        return
    transport = WebSocket(send)
    with suppress(ClientGone):
        await transport.accept()
        place = runtime.places().take()
        if place is None:
            await _refuse(transport, hub.farewell("busy"))
            return
        try:
            opening = await decide(hub, place, request, may_be_empty=True)
            await _serve(hub, request, opening, transport, receive)
        except Ended as ended:
            await _refuse(transport, ended.frame)
        finally:
            place.give_back()


async def _refuse(transport: WebSocket, farewell: wire.Farewell) -> None:
    await transport.end(farewell)
    overhearing.tell(overhearing.NOBODY, farewell)


class _Nonsense(Exception):
    """A client has said something that can't be understood; the text says why."""


def _is_ours(request: Request) -> bool:
    """Whether it comes to a host of ours, and from a page that may ask.

    The rules of CORS don't hold for WebSockets, so a browser lets every page open one
    with the visitor's cookies (RFC 6455 10.2).
    """
    try:
        host = hosts.host_of(request.headers, request.server)
    except DisallowedHost:
        return False
    origin = request.headers.get("origin")
    if origin is None:  # no browser
        return bool(request.keys)
    allowed = runtime.settings().allowed_origins
    return origin in allowed or not hosts.is_foreign(origin, host)


async def _serve(
    hub: Hub, request: Request, opening: Opening, transport: WebSocket, receive: Receive
) -> None:
    connection, subscriber = await enter(hub, opening, transport, "websocket")
    conversation = _Conversation(hub, subscriber, request, opening, connection)
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            # What comes next waits until this is answered, and the client with it.
            await conversation.hear(message)
    finally:
        await hub.leave(subscriber)
        logger.info("Closed %s", connection)


class _Conversation:
    """Does what a client says, one thing after the other."""

    def __init__(
        self,
        hub: Hub,
        subscriber: Subscriber,
        request: Request,
        opening: Opening,
        connection: str,
    ) -> None:
        self._connection = connection
        self._hub = hub
        self._subscriber = subscriber
        self._request = request
        self._opening = opening
        self._names = set(opening.allowed)
        self._faults = 0

    async def hear(self, message: Message) -> None:
        try:
            said = self._heard(message.get("text"))
            match said.get("type"):
                case "ping":
                    await self._hub.pong(self._subscriber)
                case "subscribe":
                    await self._subscribe(said)
                case "unsubscribe":
                    await self._unsubscribe(_texts(said, "groups"))
                case _:
                    raise _Nonsense("The type is none of ping, subscribe, unsubscribe.")
        except _Nonsense as nonsense:
            self._faults += 1
            ends = self._faults == MAX_FAULTS
            error = wire.stream_error("bad_request", str(nonsense), ends=ends)
            if ends:
                self._subscriber.end(error)
            else:
                await self._hub.answer(self._subscriber, error)
        except Denied as denied:
            await self._hub.answer(self._subscriber, denied.aside)
        except Ended as ended:
            self._subscriber.end(ended.frame)

    def _heard(self, text: str | None) -> dict[str, Any]:
        try:
            said = _parsed(text)
        except _Nonsense:
            overhearing.tell_command(self._connection, None)
            raise
        overhearing.tell_command(self._connection, said)
        return said

    async def _subscribe(self, said: dict[str, Any]) -> None:
        await recalled(self._hub)
        position = self._hub.judged
        grants = granted(self._hub, self._request, _texts(said, "grants"))
        if {grant.whose.user for grant in grants} - {self._opening.whose.user}:
            raise _Nonsense("The grants are another user's than the stream.")
        rendered = [name for grant in grants for name in grant.groups]
        asked = list(dict.fromkeys(_texts(said, "groups")))
        cursor = _cursor(said)
        most = runtime.settings().max_groups
        if len({*asked, *rendered}) > most:
            raise _Nonsense(f"A stream carries at most {most} groups.")
        subject = await find_subject(self._hub, self._request, asked, is_page=False)
        allowed, denied = await runtime.policy().allowed(subject, asked)
        # Nothing is waited for from here until the hub knows whose the stream is now.
        whose = whose_of(self._request, grants, subject, position)
        if not is_current(self._hub, whose):
            raise Ended(self._hub.farewell("regrant"))
        rendered, revoked = split(self._hub, grants)
        denied += [name for name in revoked if name not in (*allowed, *denied)]
        if denied:
            logger.warning("Denied %s of %s groups asked for", len(denied), len(asked))
            self._hub.note_refusal(self._subscriber, denied)
        answer = [_denied(name, "This group is not allowed.") for name in denied]
        fresh: list[str] = []
        for name in dict.fromkeys([*rendered, *allowed]):
            if name in self._names:
                answer.append(wire.subscription_response(name, "resubscribed"))
            elif len(self._names) + len(fresh) >= most:
                text = f"A stream carries at most {most} groups."
                answer.append(_denied(name, text))
            else:
                fresh.append(name)
                answer.append(wire.subscription_response(name, "subscribed"))
        self._names.update(fresh)
        since = placed(cursor, self._names) if fresh else None
        await self._hub.subscribe(self._subscriber, fresh, since, answer, whose)

    async def _unsubscribe(self, names: Sequence[str]) -> None:
        if len(names) > (most := runtime.settings().max_groups):
            raise _Nonsense(f"A stream carries at most {most} groups.")
        answer = []
        left: set[str] = set()
        for name in dict.fromkeys(names):
            if name in self._opening.automatic:
                answer.append(_denied(name, "This group can't be left."))
            else:
                left.add(name)
                answer.append(wire.subscription_response(name, "unsubscribed"))
        self._names -= left
        await self._hub.unsubscribe(self._subscriber, left, answer)


def _denied(name: str, text: str) -> wire.Frame:
    return wire.subscription_response(name, "error", text)


def _parsed(text: str | None) -> dict[str, Any]:
    if text is None:
        raise _Nonsense("A message is text.")
    if len(text) > MAX_MESSAGE:
        raise _Nonsense(f"A message is at most {MAX_MESSAGE} characters.")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise _Nonsense("The message is not JSON.") from None
    if not isinstance(said, dict):
        raise _Nonsense("A message is an object with a type.")
    return said


def _texts(said: dict[str, Any], name: str) -> list[str]:
    texts = said.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _Nonsense(f"{name} is a list of texts.")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:  # half a character, which JSON can say
        raise _Nonsense(f"{name} has a text that isn't Unicode.") from None
    return texts


def _cursor(said: dict[str, Any]) -> wire.Id | None:
    text = said.get("last_event_id")
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise _Nonsense("last_event_id is a text.")
    try:
        return wire.parse_cursor(text)
    except InvalidCursor:
        return UNREADABLE
