"""The operations that are streams, described: they are answered before Django."""

from __future__ import annotations

from typing import Any

from django.urls import get_script_prefix

from sse_components import runtime, wire
from sse_components.admission import RETRY
from sse_components.events import MAX_NAME, Event, Position

TAG = "streams"

SECURITY: list[dict[str, list[str]]] = [
    {},  # a grant, a session, or groups that are public
    {"Bearer": ["subscribe"]},
    {"Header": ["subscribe"]},
]
NAME: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?$",
    "maxLength": MAX_NAME,
    "examples": ["news.updates", "news.*"],
}
GROUP = {
    "in": "path",
    "name": "group",
    "required": True,
    "description": "A group, or a pattern group like `news.*`.",
    "schema": NAME,
}
CURSOR = [
    {
        "in": "query",
        "name": "last_event_id",
        "required": False,
        "description": "The cursor: the last id that the client has had, or the "
        "`last_id` of an answer. What was published since then comes first. "
        "`lastEventId` is the same.",
        "schema": {"type": "string", "examples": ["7f3a9c21:1763799845130001"]},
    },
    {
        "in": "header",
        "name": "Last-Event-ID",
        "required": False,
        "description": "The same, as an EventSource sends it; it wins.",
        "schema": {"type": "string", "examples": ["7f3a9c21:1763799845130001"]},
    },
]
ASKING = [
    {
        "in": "query",
        "name": "group",
        "required": False,
        "description": "Groups to hear, one parameter for each. What is not allowed "
        "stands in `denied`.",
        "schema": {"type": "array", "items": NAME, "examples": [["news.updates"]]},
    },
    {
        "in": "query",
        "name": "grant",
        "required": False,
        "description": "Permissions from `issue_grant` or a page, one parameter for "
        "each; several are of the same user.",
        "schema": {"type": "array", "items": {"type": "string"}},
    },
]
PERMISSION = """\
A key needs the scope `subscribe` and the group. Without a key, {without} is heard that
is public or that the session in a cookie may hear."""
FRAMES = """\
The `data` of each event of the stream is one line of JSON, a `Frame`, or an `OwnEvent`
if its type is none of these. After a `stream-close`, or when the connection is lost,
come back with the last id. A stream that is refused is one, with a `stream-error` and
nothing else; who comes back with its id gets 204 and has to stop."""
WHOLE_STREAM = f"""\
Hear many groups over one connection; without a key, also those that a page's visitor
hears without asking, like `broadcast`.

{PERMISSION.format(without="what grants name is heard, and what")}

{FRAMES}"""
ONE_GROUP = f"""\
Hear one group and nothing else.

{PERMISSION.format(without="a group")}

{FRAMES}"""
SOCKET = """\
The same as `open_stream` for who can't read a response while it comes (RFC 6455): each
message of the server is what would be the `data` of an event. A client may ask for more
groups, and leave some, by messages of its own. An `Origin` has to be ours or allowed;
only with a key there may be none. What ends the stream is said by a last frame and by
the close code: 1012, 1013, 4008, 4029 and 4040 mean to come back, 4400, 4401 and 4403
don't."""


def paths() -> dict[str, Any]:
    """Return the operations of streams by their addresses here."""
    prefix = get_script_prefix().rstrip("/") + runtime.settings().prefix
    return {
        f"{prefix}stream": {
            "get": {
                "operationId": "open_stream",
                "summary": "Hear many groups",
                "description": WHOLE_STREAM,
                "tags": [TAG],
                "parameters": [*ASKING, *CURSOR],
                "responses": _responses(),
                "security": SECURITY,
            }
        },
        f"{prefix}groups/{{group}}": {
            "get": {
                "operationId": "open_group_stream",
                "summary": "Hear one group",
                "description": ONE_GROUP,
                "tags": [TAG],
                "parameters": [GROUP, *CURSOR],
                "responses": _responses(),
                "security": SECURITY,
            }
        },
        f"{prefix}ws": {
            "get": {
                "operationId": "open_socket",
                "summary": "Hear many groups over a WebSocket",
                "description": SOCKET,
                "tags": [TAG],
                "parameters": [*ASKING, *CURSOR],
                "responses": {
                    "101": {"description": "The connection is a WebSocket now."},
                    "403": {"description": "The host or the origin is not allowed."},
                },
                "security": SECURITY,
                "x-websocket": {
                    "server": {"$ref": "#/components/schemas/SocketFrame"},
                    "client": {"$ref": "#/components/schemas/SocketMessage"},
                },
            }
        },
    }


def _responses() -> dict[str, Any]:
    return {
        "200": {
            "description": "The stream (WHATWG HTML 9.2), which has no end of its own.",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": _example(),
                    # What OpenAPI 3.2 calls itemSchema.
                    "x-itemSchema": {
                        "type": "object",
                        "properties": {
                            "event": {"type": "string"},
                            "id": {"type": "string"},
                            "retry": {"type": "integer"},
                            "data": {
                                "type": "string",
                                "contentMediaType": "application/json",
                                "contentSchema": {
                                    "anyOf": [
                                        {"$ref": "#/components/schemas/Frame"},
                                        {"$ref": "#/components/schemas/OwnEvent"},
                                    ]
                                },
                            },
                        },
                    },
                }
            },
        },
        "204": {"description": "The last id was that of a `stream-error`: stop."},
        "400": _refused("The host is not one of the server's."),
        "403": _refused(
            "The page that asks is of another origin, which is not allowed."
        ),
    }


def _refused(why: str) -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {"description": why, "content": content}


def _example() -> str:
    """Return the beginning of a stream, as the server writes it."""
    start = Position("7f3a9c21", 1763799845123456)
    opened = wire.stream_open(
        start,
        connection="Vb3kQ9xZ0a1_",
        groups=["news.updates"],
        denied=[],
        keep_alive=15,
        retry=RETRY,
        expires=None,
    )
    payload = wire.dumps({"data": {"headline": "Hello"}, "update": False})
    changed = Event(
        Position("7f3a9c21", 1763799845130001),
        "news.updates",
        "component.data_changed",
        payload,
    )
    frames = [opened, wire.keep_alive(start), wire.event(changed)]
    return (wire.retry(RETRY) + b"".join(frame.sse for frame in frames)).decode()
