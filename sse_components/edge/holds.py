"""The words of GRIP: ids, channels, and the headers that have a stream held.

Pure functions. https://pushpin.org/docs/protocols/grip/
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping

from sse_components import wire
from sse_components.channels import channel, tag
from sse_components.events import Event, Position
from sse_components.wire import Vector

MAX_CHANNELS = 20
"""Pushpin leaves out the others, without a word to anybody but its log."""
MAX_NAMES = MAX_CHANNELS - 1
"""One is for the ticket."""
FILTER = "build-id"
"""Has the proxy write a stream's ids: it alone knows what it has sent to it."""


def id_of(position: Position) -> str:
    """Return a position as the id of a channel's item."""
    return f"{position.epoch}-{position.seq}"


def position_of(id: str) -> Position:
    """Return what an id stands for; raises `InvalidCursor`."""
    epoch, _, seq = id.partition("-")
    return wire.parse_position(f"{epoch}:{seq}")


def vector(places: Mapping[str, Position], had: Vector | None = None) -> Vector:
    """Return how far a stream has got in each of its groups and patterns.

    And what it has had under other names, as long as it hasn't all that is missing.
    """
    ours = {tag(name): position for name, position in places.items()}
    return Vector({**(had.positions if had else {}), **ours})


def doubled(text: bytes) -> bytes:
    """Return a text that the filter leaves as it was: it reads `%I` for the id."""
    return text.replace(b"%", b"%%")


def event(event: Event, id: bytes) -> bytes:
    """Return an event for the filter, with the line that says where the stream is.

    The envelope keeps the id that the event has on every transport.
    """
    type, data = event.type.encode(), wire.event(event).json
    return b"event: %b\nid: %b\ndata: %b\n\n" % (doubled(type), id, doubled(data))


def headers(
    places: Mapping[str, Position],
    ticket: str,
    link: str,
    *,
    holds: bool,
    seconds: float,
    keep_alive: float,
) -> dict[str, str]:
    """Return what has a stream held, or have it go on at the link at once.

    They are the same in both cases but for that: Pushpin before 1.41 filters an answer
    by what the one before it said.
    """
    channels = [
        f"{channel(name)}; prev-id={id_of(position)}; filter={FILTER}"
        for name, position in places.items()
    ]
    if ticket:
        channels.append(f"{ticket}; prev-id=0")
    ids = ",".join(f"{tag(name)}:%({channel(name)})s" for name in places)
    silent = b64encode(wire.keep_alive(None).sse).decode()
    said = {
        "Grip-Channel": ", ".join(channels),
        "Grip-Set-Meta": f'id_format="{ids}"',
        "Grip-Keep-Alive": f"{silent}; format=base64; timeout={math.ceil(keep_alive)}",
        "Grip-Link": f"<{link}>; rel=next; timeout={math.ceil(seconds)}",
    }
    return said | {"Grip-Hold": "stream"} if holds else said


def last_ids(header: str) -> dict[str, str]:
    """Return the channels of a Grip-Last header, and the last id of each."""
    found = {}
    for part in header.split(","):
        name, _, parameter = part.partition(";")
        key, _, id = parameter.partition("=")
        if key.strip() == "last-id":
            found[name.strip()] = id.strip().strip('"')
    return found
