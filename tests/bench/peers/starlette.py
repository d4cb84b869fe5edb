"""sse-starlette with a queue for each client, as its example of broadcasting has it.

Without what the example does besides for each event: a timeout, and asking whether the
client is still there, which the response watches anyway. That is faster.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_ids = count(1)
_queues: set[asyncio.Queue[ServerSentEvent]] = set()


async def _events() -> AsyncIterator[ServerSentEvent]:
    queue: asyncio.Queue[ServerSentEvent] = asyncio.Queue()
    _queues.add(queue)
    try:
        while True:
            yield await queue.get()
    finally:
        _queues.discard(queue)


async def subscribe(request: Request) -> Response:
    return EventSourceResponse(_events())


async def publish(request: Request) -> Response:
    data = (await request.body()).decode()
    event = ServerSentEvent(data, event="message", id=str(next(_ids)))
    for queue in _queues:
        queue.put_nowait(event)
    return Response(status_code=202)


application = Starlette(
    routes=[
        Route("/events", subscribe),
        Route("/publish", publish, methods=["POST"]),
    ]
)
