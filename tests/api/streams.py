"""Streams that the system opens with its key, in this process."""

from __future__ import annotations

from sse_components.asgi import Application
from tests.api.clients import KEYED
from tests.clients import Received
from tests.communicator import request


async def first(app: Application, address: str) -> Received:
    """Return what a stream begins with, once what was revoked before has been heard."""
    while True:
        async with request(app, address, KEYED) as exchange:
            event = await exchange.next()
        if event.data.get("reason") != "regrant":
            return event
