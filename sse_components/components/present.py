"""The position of a page: from before anything was read for it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final
from weakref import WeakKeyDictionary

from sse_components import runtime
from sse_components.brokers.base import Broker
from sse_components.errors import BrokerUnavailable
from sse_components.events import NOWHERE, Position
from sse_components.waiting import wait_for

PATIENCE_SECONDS: Final = 1
"""How long a page waits for a broker."""
PAUSE_SECONDS: Final = 5
"""How long pages don't ask one that hasn't answered."""

logger = logging.getLogger("sse_components.broker")

_silent: WeakKeyDictionary[Broker, float] = WeakKeyDictionary()
"""Until when a broker isn't asked."""


def known() -> Position:
    """Return the position that this process's hub knows of, without any I/O."""
    hub = runtime.hub()
    return hub.judged if hub else NOWHERE


def asked() -> Position:
    """Return that of the broker, in a process whose streams are another one's.

    It is `NOWHERE` if the broker is away, or where nobody serves any streams.
    """
    if runtime.hub() or not runtime.has_streams():
        return NOWHERE
    broker = runtime.broker()
    if _silent.get(broker, 0) > time.monotonic():
        return NOWHERE
    try:
        return wait_for(_position, broker)
    except (BrokerUnavailable, TimeoutError) as error:
        _silent[broker] = time.monotonic() + PAUSE_SECONDS
        logger.warning("A page has no position, so that it will fetch again: %s", error)
        return NOWHERE


async def _position(broker: Broker) -> Position:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await broker.position()
