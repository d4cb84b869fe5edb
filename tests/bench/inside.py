"""The project, and an address that has it publish from inside its process.

    uvicorn tests.bench.inside:application

`POST /bench/publish?count=1000&groups=1000` publishes the body's text `count` times,
round robin to `news.0`, `news.1` and so on.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from project.asgi import application as project
from sse_components import ComponentDispatcher  # needs the settings of the above

ADDRESS = "/bench/publish"


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http" and scope["path"] == ADDRESS:
        await _publish(scope, receive, send)
    else:
        await project(scope, receive, send)


async def _publish(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    query = parse_qs(scope["query_string"].decode())
    count, groups = int(query["count"][0]), int(query["groups"][0])
    data = {"headline": body.decode()}
    for number in range(count):
        await ComponentDispatcher.data_changed(f"news.{number % groups}", data)
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
