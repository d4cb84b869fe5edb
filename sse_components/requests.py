"""What a stream reads of its ASGI scope: headers, query, key, cursor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from django.http import parse_cookie

from sse_components.errors import InvalidCursor
from sse_components.events import Position
from sse_components.wire import STOP, Vector, parse_cursor

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_QUERY = 64 * 1024
"""Bytes of a query."""

UNREADABLE = Position("", 0)
"""Stands for a cursor that isn't one: of an epoch that no broker has."""


class Request:
    """A request for a stream; all of it is the client's word."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope.get("method", "GET")  # a WebSocket's goes unsaid
        self.server: tuple[str, int | None] | None = scope.get("server")
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            before = self.headers.get(key)
            separator = "; " if key == "cookie" else ","  # as Django joins them
            self.headers[key] = text if before is None else before + separator + text
        query: bytes = scope["query_string"]
        self.is_too_long = len(query) > MAX_QUERY
        self._query = {} if self.is_too_long else _parsed(query)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies by name."""
        return parse_cookie(self.headers.get("cookie", ""))

    @property
    def groups(self) -> list[str]:
        """The groups asked for by name, each once."""
        return list(dict.fromkeys(self._query.get("group", [])))

    @property
    def grants(self) -> list[str]:
        """The grants that it comes with."""
        return self._query.get("grant", [])

    @property
    def keys(self) -> list[str]:
        """The API keys it comes with; as for the REST API, one of them will do."""
        given = [bearer_key(self.headers.get("authorization", ""))]
        return [key for key in [*given, self.headers.get("x-api-key", "")] if key]

    @property
    def wants_to_stop(self) -> bool:
        """Whether the last the client has had is a `stream-error`."""
        return self._cursor_text == STOP

    @property
    def cursor(self) -> Position | Vector | None:
        """How far the client has got; `UNREADABLE` if it says nothing sensible."""
        try:
            return parse_cursor(self._cursor_text) if self._cursor_text else None
        except InvalidCursor:
            return UNREADABLE

    @property
    def _cursor_text(self) -> str:
        # The header wins: a native EventSource keeps the query of its first request.
        names = "last_event_id", "lastEventId"
        given = [text for name in names for text in self._query.get(name, []) if text]
        return self.headers.get("last-event-id") or (given[-1] if given else "")


def bearer_key(authorization: str) -> str:
    """Return the key of an Authorization header, "" if it is of another kind."""
    kind, _, key = authorization.partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""  # RFC 9110 11.4: 1*SP


def _parsed(query: bytes) -> dict[str, list[str]]:
    return parse_qs(query.decode("latin-1"), keep_blank_values=True)
