"""What goes over connections as lines of a log, without what is in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sse_components.events import is_subscribable
from sse_components.groups import wire_name
from sse_components.subscriber import Transport
from sse_components.wire import STOP, Farewell, Frame

MAX_NAMES = 5
"""Of the groups of one frame; of the others it is said how many they are."""
NOBODY = "-"
"""Stands for a connection that was refused before it had a name."""
COMMANDS = ("ping", "subscribe", "unsubscribe")

logger = logging.getLogger("sse_components.frames")


def overheard(transport: Transport, connection: str) -> Transport:
    """Return a transport that logs what is written, or the same if nobody reads that.

    Whether anybody does is looked at once, here, so that it costs the others nothing.
    """
    is_read = logger.isEnabledFor(logging.DEBUG)
    return Overheard(transport, connection) if is_read else transport


def tell(connection: str, frame: Frame) -> None:
    """Log a frame that a connection is sent."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s -> %s", connection, _described(frame))


def tell_command(connection: str, said: Mapping[str, Any] | None) -> None:
    """Log what a client says; None if that can't be read."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s <- %s", connection, _described_command(said))


class Overheard:
    """Passes on to a transport, and logs each frame that this has taken."""

    __slots__ = ("_connection", "_transport")

    def __init__(self, transport: Transport, connection: str) -> None:
        self._transport = transport
        self._connection = connection

    def write_now(self, frames: Sequence[Frame]) -> bool:
        is_written = self._transport.write_now(frames)
        if is_written:
            self._tell(frames)
        return is_written

    async def write(self, frames: Sequence[Frame]) -> None:
        await self._transport.write(frames)
        self._tell(frames)

    async def end(self, farewell: Farewell) -> None:
        await self._transport.end(farewell)
        self._tell([farewell])

    def abort(self) -> None:
        self._transport.abort()

    def _tell(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            tell(self._connection, frame)


def _described(frame: Frame) -> str:
    """Return type, groups, position and size: never a payload."""
    said: dict[str, Any] = json.loads(frame.json)
    one = [said["group"]] if "group" in said else []
    parts = [said["type"], _listed(said.get("groups", one))]
    why = said.get("reason") or said.get("condition") or said.get("status")
    if why:
        parts.append(f"({why})")
    if said.get("id") not in (None, STOP):
        parts.append(f"at {said['id']}")
    return f"{' '.join(filter(None, parts))}, {len(frame.json)} bytes"


def _described_command(said: Mapping[str, Any] | None) -> str:
    """Return type and groups: all of it is the client's word, and may be anything."""
    if said is None or said.get("type") not in COMMANDS:
        return "nonsense"
    parts = [said["type"]]
    given = said.get("groups")
    parts.append(_listed(given if isinstance(given, list) else []))
    grants = said.get("grants")
    if isinstance(grants, list) and grants:
        parts.append(f"with {len(grants)} grants")
    return " ".join(filter(None, parts))


def _listed(groups: Collection[object]) -> str:
    readable = [str(name) for name in groups if is_subscribable(name)]
    names = [wire_name(name) for name in readable[:MAX_NAMES]]
    more = len(groups) - len(names)
    if not names:
        return f"{more} groups" if more else ""
    return ", ".join(names + [f"{more} more"] * bool(more))
