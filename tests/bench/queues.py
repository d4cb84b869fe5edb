"""The plain way to fan out, to compare with: a queue and a task for each connection.

`uvicorn tests.bench.queues:application` has the addresses of the real server.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

_queues: set[asyncio.Queue[bytes]] = set()


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    if scope["method"] == "POST":
        await _publish(receive, send)
    else:
        await _stream(receive, send)


async def _publish(receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    seq = time.time_ns() // 1000
    envelope = {
        "id": f"epoch:{seq}",
        "type": "component.data_changed",
        "group": "news.updates",
        "payload": json.loads(body),
    }
    for queue in _queues:
        queue.put_nowait(json.dumps(envelope).encode())
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def _stream(receive: Any, send: Any) -> None:
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    _queues.add(queue)
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b": open\n\n", "more_body": True})
    gone = asyncio.ensure_future(_gone(receive))
    try:
        while True:
            getter = asyncio.ensure_future(queue.get())
            await asyncio.wait((getter, gone), return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                getter.cancel()
                return
            body = b"event: component.data_changed\ndata: %b\n\n" % getter.result()
            await send({"type": "http.response.body", "body": body, "more_body": True})
    finally:
        _queues.discard(queue)


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
