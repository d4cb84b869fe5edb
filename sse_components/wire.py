"""Events as bytes: the envelope, the frames, cursors. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any, Final, Literal, Self

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

Subscribing = Literal["subscribed", "resubscribed", "unsubscribed", "error"]
"""What became of a group that a WebSocket asked for."""

_CLOSE_CODES: dict[Condition | Reason, int] = {
    "shutdown": 1012,
    "rotated": 1012,
    "unavailable": 1013,
    "slow": 4008,
    "busy": 4029,
    "regrant": 4040,
    "bad_request": 4400,
    "too_many_groups": 4400,
    "grant_expired": 4401,
    "forbidden": 4403,
    "revoked": 4403,
}

CALLED_FOR = ("component.", "presence.")
"""What the types of events begin with for which components ask the server."""
_EPOCH, _SEQ = r"([A-Za-z0-9]{1,16})", r"(0|[1-9][0-9]{0,15})"
_POSITION = re.compile(f"{_EPOCH}:{_SEQ}")
_PLACE = re.compile(f"([0-9a-f]{{8}}):{_EPOCH}-{_SEQ}")


@dataclass(frozen=True, slots=True)
class Vector:
    """How far a client has got in each of several groups; as text an id too.

    Who holds streams for us orders events by group only, so one position doesn't do.
    """

    positions: Mapping[str, Position]
    """By tag; a tag stands for a group or pattern."""

    def __str__(self) -> str:
        return ",".join(
            f"{tag}:{position.epoch}-{position.seq}"
            for tag, position in self.positions.items()
        )


Id = Position | Vector
"""What a client comes back with."""


class Frame:
    """One frame, encoded once for all that receive it."""

    __slots__ = ("_spread", "_start", "_text", "fetches", "group", "seq", "sse")

    def __init__(self, type: str, data: bytes, id: str | None = None) -> None:
        self.group = ""
        """The group of an event; a control frame is of none."""
        self.seq = 0
        """The seq of an event."""
        self.fetches = False
        """Whether a browser may ask the server for something because of it."""
        self._spread: tuple[int, Self] | None = None
        self._text: str | None = None
        fields = f"event: {type}\nid: {id}\n" if id else f"event: {type}\n"
        head = b"%bdata: " % fields.encode()
        self.sse: bytes = b"%b%b\n\n" % (head, data)
        """An event of a stream (WHATWG HTML 9.2.6)."""
        self._start = len(head)

    @property
    def json(self) -> bytes:
        """The object alone, as a WebSocket carries it."""
        return self.sse[self._start : -2]

    @property
    def text(self) -> str:
        """The same as text, made once for all that receive it."""
        if self._text is None:
            self._text = self.json.decode()
        return self._text

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the event of a stream, but for the data."""
        lines = self.sse[: self._start].decode().splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line)

    def spread_over(self, milliseconds: int) -> Self:
        """Return the frame that has browsers fetch within that time, not at once.

        It is the same for an event that nobody fetches for, and made once for all that
        receive it at about the same time.
        """
        if not (milliseconds and self.fetches):
            return self
        if self._spread is None or self._spread[0] != milliseconds:
            frame = copy(self)
            frame.sse = b'%b,"spread":%d}\n\n' % (self.sse[:-3], milliseconds)
            frame.fetches, frame._spread, frame._text = False, None, None
            self._spread = milliseconds, frame
        return self._spread[1]

    def at(self, id: Id) -> Self:
        """Return the same frame under another id; the one in its object stays."""
        head, _, fields = self.sse[: self._start].partition(b"\n")
        if fields.startswith(b"id: "):
            fields = fields.partition(b"\n")[2]
        head += b"\nid: %b\n" % str(id).encode() + fields
        frame = copy(self)
        frame.sse = head + self.sse[self._start :]
        frame._start = len(head)
        return frame

    def behind(self, prologue: bytes) -> Self:
        """Return the same frame with something of the stream's own before it."""
        frame = copy(self)
        frame.sse = prologue + self.sse
        frame._start = len(prologue) + self._start
        return frame


class Farewell(Frame):
    """The last frame of a stream, after which a WebSocket is closed with a code."""

    __slots__ = ("code", "why")

    def __init__(
        self, type: str, data: bytes, id: str | None, why: Condition | Reason
    ) -> None:
        super().__init__(type, data, id)
        self.code = _CLOSE_CODES[why]
        self.why = why


def dumps(value: object, default: Callable[[Any], Any] | None = None) -> bytes:
    """Return a value as one line of JSON: compact, UTF-8, nothing escaped that needn't.

    `default` turns what JSON doesn't know into what it does. Raises `InvalidPayload`.
    """
    try:
        return _encoder(default).encode(value).encode()
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
    frame = Frame(event.type, data, id)
    frame.group, frame.seq = event.group, position.seq
    frame.fetches = event.type == "notify" or event.type.startswith(CALLED_FOR)
    return frame


def stream_open(
    id: Id | None,
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


def keep_alive(id: Id | None) -> Frame:
    """Return the frame of a silent stream; with an id, all up to there was sent."""
    return _control("keep-alive", id)


def stream_reset(id: Id | None, groups: Iterable[str], spread: int = 0) -> Frame:
    """Return the frame that says which groups may have missed events.

    Browsers fetch what they show again, each after a random time below `spread`, in
    milliseconds.
    """
    names = sorted(groups)
    fields: dict[str, object] = {"groups": names, "channels": names}
    if spread:
        fields["spread"] = spread
    return _control("stream-reset", id, **fields)


def stream_error(
    condition: Condition, text: str, groups: Sequence[str] = (), *, ends: bool = True
) -> Farewell:
    """Return the last frame of a stream that is over for good.

    One that ends nothing, only says that something a client said is refused, has no id.
    """
    names = list(groups)
    fields = {"condition": condition, "text": text, "groups": names, "channels": names}
    id = STOP if ends else None
    return Farewell("stream-error", _data("stream-error", id, fields), id, condition)


def stream_close(reason: Reason, retry: int) -> Farewell:
    """Return the last frame of a stream that the client should open again."""
    data = _data("stream-close", None, {"reason": reason, "retry": retry})
    frame = Farewell("stream-close", data, None, reason)
    return frame.behind(b"retry: %d\n" % retry)


def pong(id: Position) -> Frame:
    """Return the answer to a ping; as with a keep-alive, all up to there was sent."""
    return _control("pong", id)


def subscription_response(group: str, status: Subscribing, message: str = "") -> Frame:
    """Return what became of one group that a WebSocket asked for."""
    return _control(
        "subscription.response", None, group=group, status=status, message=message
    )


def parse_cursor(text: str) -> Id:
    """Return the position, or the positions, that a client says it has got to.

    The text is the client's, and hostile until proven otherwise. Raises
    `InvalidCursor`, which doesn't repeat it.
    """
    if "-" not in text:  # which stands in no position
        return parse_position(text)
    positions: dict[str, Position] = {}
    for place in text.split(",") if len(text) <= MAX_CURSOR else [""]:
        match = _PLACE.fullmatch(place)
        if match is None or match[1] in positions or int(match[3]) > MAX_SEQ:
            raise InvalidCursor("A cursor of groups is tag:epoch-seq for each of them.")
        positions[match[1]] = Position(intern(match[2]), int(match[3]))
    return Vector(positions)


def parse_position(text: str) -> Position:
    """Return the one position that a text is; raises `InvalidCursor` as well."""
    match = _POSITION.fullmatch(text) if len(text) <= MAX_CURSOR else None
    if match is None or int(match[2]) > MAX_SEQ:
        raise InvalidCursor("A cursor is epoch:seq.")
    return Position(intern(match[1]), int(match[2]))  # many have the same epoch


def _control(type: str, id: Id | None, **fields: object) -> Frame:
    text = None if id is None else str(id)
    return Frame(type, _data(type, text, fields), text)


def _data(type: str, id: str | None, fields: Mapping[str, object]) -> bytes:
    head: dict[str, object] = {"type": type}
    if id is not None:
        head["id"] = id
    return dumps({**head, **fields})


@lru_cache(maxsize=16)
def _encoder(default: Callable[[Any], Any] | None) -> json.JSONEncoder:
    return json.JSONEncoder(
        default=default, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


@lru_cache(maxsize=512)
def _json_text(text: str) -> bytes:
    return dumps(text)
