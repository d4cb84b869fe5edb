"""Events as bytes: the envelope, the frames, cursors. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

from sse_components.errors import InvalidCursor, InvalidPayload
from sse_components.events import MAX_SEQ, Event, Position

MAX_CURSOR = 1024
"""Bytes of a cursor's text."""

STOP: Final = "error"
"""The id of a `stream-error`: a client that comes back with it wants to be stopped."""

Condition = Literal[
    "forbidden", "grant_expired", "bad_request", "too_many_groups", "revoked"
]
"""Why a stream was refused or ended for good."""

Reason = Literal["shutdown", "rotated", "slow", "busy", "unavailable", "regrant"]
"""Why a stream ended for now."""

_POSITION = re.compile(r"([A-Za-z0-9]{1,16}):(0|[1-9][0-9]{0,15})")


class Frame:
    """One frame, encoded once for all that receive it."""

    __slots__ = ("_start", "sse")

    def __init__(self, type: str, data: bytes, id: str | None = None) -> None:
        fields = f"event: {type}\nid: {id}\n" if id else f"event: {type}\n"
        head = b"%bdata: " % fields.encode()
        self.sse: bytes = b"%b%b\n\n" % (head, data)
        """An event of a stream (WHATWG HTML 9.2.6)."""
        self._start = len(head)

    @property
    def json(self) -> bytes:
        """The object alone, as a WebSocket carries it."""
        return self.sse[self._start : -2]

    def behind(self, prologue: bytes) -> Frame:
        """Return the same frame with something of the stream's own before it."""
        frame = object.__new__(Frame)
        frame.sse = prologue + self.sse
        frame._start = len(prologue) + self._start
        return frame


def dumps(value: object, default: Callable[[Any], Any] | None = None) -> bytes:
    """Return a value as one line of JSON: compact, UTF-8, nothing escaped that needn't.

    `default` turns what JSON doesn't know into what it does. Raises `InvalidPayload`.
    """
    try:
        return json.dumps(
            value,
            default=default,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayload(f"The payload can't be written as JSON: {error}") from None


def retry(milliseconds: int) -> bytes:
    """Return the prologue of a stream: how long a native EventSource waits."""
    return b"retry: %d\n\n" % milliseconds


def event(event: Event) -> Frame:
    """Return an event as the frame that every subscriber of its group gets."""
    position = event.position
    id = str(position)
    ts = position.time.isoformat(timespec="microseconds")[:-6]
    data = b'{"id":"%b","type":%b,"group":"%b","payload":%b,"sender":%b,"ts":"%bZ"}' % (
        id.encode(),
        _json_text(event.type),
        event.group.encode(),
        event.payload,
        b'"%b"' % event.sender.encode() if event.sender else b"null",
        ts.encode(),
    )
    return Frame(event.type, data, id)


def stream_open(
    id: Position | None,
    *,
    connection: str,
    groups: Sequence[str],
    denied: Sequence[str],
    keep_alive: float,
    retry: int,
    expires: int | None,
) -> Frame:
    """Return the first frame of a stream; times in seconds, `retry` in milliseconds."""
    return _control(
        "stream-open",
        id,
        connection=connection,
        groups=list(groups),
        denied=list(denied),
        keep_alive=keep_alive,
        retry=retry,
        expires=expires,
    )


def keep_alive(id: Position | None) -> Frame:
    """Return the frame of a silent stream; with an id, all up to there was sent."""
    return _control("keep-alive", id)


def stream_reset(id: Position | None, groups: Iterable[str]) -> Frame:
    """Return the frame that says which groups may have missed events."""
    names = sorted(groups)
    return _control("stream-reset", id, groups=names, channels=names)


def stream_error(condition: Condition, text: str, groups: Sequence[str] = ()) -> Frame:
    """Return the last frame of a stream that is over for good."""
    names = list(groups)
    return _control(
        "stream-error",
        STOP,
        condition=condition,
        text=text,
        groups=names,
        channels=names,
    )


def stream_close(reason: Reason, retry: int) -> Frame:
    """Return the last frame of a stream that the client should open again."""
    frame = _control("stream-close", None, reason=reason, retry=retry)
    return frame.behind(b"retry: %d\n" % retry)


def parse_cursor(text: str) -> Position:
    """Return the position that a client says it has got to.

    The text is the client's, and hostile until proven otherwise. Raises
    `InvalidCursor`, which doesn't repeat it.
    """
    match = _POSITION.fullmatch(text) if len(text) <= MAX_CURSOR else None
    if match is None or int(match[2]) > MAX_SEQ:
        raise InvalidCursor("A cursor is epoch:seq.")
    return Position(match[1], int(match[2]))


def _control(type: str, id: Position | str | None, **fields: object) -> Frame:
    head: dict[str, object] = {"type": type}
    if id is not None:
        head["id"] = id = str(id)
    return Frame(type, dumps(head | fields), id)


@lru_cache(maxsize=512)
def _json_text(text: str) -> bytes:
    return dumps(text)
