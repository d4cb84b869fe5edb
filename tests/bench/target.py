"""What the harness measures: a server, seen from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """A server to measure: how it is started, subscribed to and published to."""

    name: str
    """As the table shows it, e.g. "nchan"."""
    version: str
    command: Callable[[int, Path], list[str]]
    """Port and a folder of its own -> argv of a process that stays in front."""
    subscribe: str
    """Request target of a stream of the one group measured."""
    publish: Callable[[str], tuple[str, bytes]]
    """A text of about 100 bytes -> request target and body bytes of a POST."""
    websocket: bool = False
    """Whether `subscribe` is a WebSocket address."""
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of publish requests."""
    needs: tuple[str, ...] = ()
    """What the harness makes for it: "redis", whose URL is the variable REDIS_URL, and
    "database", with Django's tables."""
