"""Who knows what was revoked: a hub, or what a process without one has just read."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol, Self

from sse_components import wire
from sse_components.brokers.base import Broker
from sse_components.events import Position
from sse_components.hub import RETRY_MILLISECONDS
from sse_components.revocations import Revocations
from sse_components.wire import Farewell


class Judge(Protocol):
    """Says whether what somebody was granted still stands."""

    @property
    def revocations(self) -> Revocations:
        """What was revoked, as far as it is known here."""

    @property
    def position(self) -> Position:
        """A position that is not after anything read from now on."""

    @property
    def judged(self) -> Position:
        """A position up to which every revocation is known."""

    @property
    def draining(self) -> bool:
        """Whether streams are about to end here."""

    async def recalled(self) -> None:
        """Return when it is known what was revoked; raises `BrokerUnavailable`."""

    def farewell(self, reason: wire.Reason) -> Farewell:
        """The frame that ends one stream, with a moment of its own to come back."""


class Reader:
    """Knows what was revoked up to a moment, and nothing of what came later.

    So what it lets in has to be looked at again, with the position from here.
    """

    draining = False

    def __init__(self, position: Position, revocations: Revocations) -> None:
        self.position = self.judged = position
        self.revocations = revocations

    @classmethod
    async def read(cls, broker: Broker, is_reserved: Callable[[str], bool]) -> Self:
        """Read what is noted; raises `BrokerUnavailable`."""
        position = await broker.position()  # first: what is revoked meanwhile is after
        revocations = Revocations(is_reserved)
        for revocation in await broker.revocations():
            if revocation.position.epoch == position.epoch:
                revocations.add(revocation)
        return cls(position, revocations)

    async def recalled(self) -> None:
        """Return at once: it is known from the beginning."""

    @staticmethod
    def farewell(reason: wire.Reason) -> Farewell:
        """The frame that ends one stream, with a moment of its own to come back."""
        return wire.stream_close(reason, random.randint(*RETRY_MILLISECONDS))
