"""What is published to the proxy, as its control port takes it. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sse_components import channels, wire
from sse_components.brokers.base import Delivery
from sse_components.edge import holds
from sse_components.events import Position

NAMES: Final = 4096
"""Channels that are remembered, as each is a digest."""

Item = dict[str, Any]


@lru_cache(maxsize=NAMES)
def channel(name: str) -> str:
    """Return the channel of a group or pattern."""
    return channels.channel(name)


def item(delivery: Delivery) -> Item:
    """Return an event for those who hear it under a name.

    It says which one it follows: whoever hasn't had that one asks us.
    """
    position = delivery.event.position
    content = holds.event(delivery.event, b"%I").decode()
    stream = {"content": content, "content-filters": [holds.FILTER]}
    return {
        "channel": channel(delivery.name),
        "id": holds.id_of(position),
        "prev-id": holds.id_of(Position(position.epoch, delivery.previous)),
        "formats": {"http-stream": stream},
    }


def hint(name: str) -> Item:
    """Return what has all who hear a name ask us at once."""
    formats = {"http-stream": {"action": "hint"}}
    return {"channel": channel(name), "formats": formats}


def body(items: Sequence[Item]) -> bytes:
    """Return items as the body of one request."""
    return wire.dumps({"items": list(items)})
