"""The project as targets, and grants for its streams."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from django.conf import settings

from sse_components import __version__
from sse_components.grants import Grants
from sse_components.wire import parse_cursor
from tests.bench.target import Target

GROUP: Final = "news.updates"
GRANTED: Final = 5
"""How many groups a grant is of."""
NAMES: Final = 200
"""How many groups all grants are of, so that many pages share each, as they do."""
KEY: Final = "bench"


def _command(application: str) -> Callable[[int, Path], list[str]]:
    def command(port: int, folder: Path) -> list[str]:
        quiet = ["--log-level", "warning", "--no-access-log"]
        options = ["--ws-per-message-deflate", "false", "--timeout-keep-alive", "60"]
        address = ["--host", "127.0.0.1", "--port", str(port)]
        return [
            *(sys.executable, "-m", "uvicorn", application),
            *(*address, *quiet, *options),
        ]

    return command


def _publish(text: str) -> tuple[str, bytes]:
    body = json.dumps({"data": {"headline": text}}).encode()
    return f"/api/v1/groups/{GROUP}/data-changed", body


OURS: Final = Target(
    name="ours",
    version=__version__,
    command=_command("project.asgi:application"),
    subscribe=f"/sse/groups/{GROUP}",
    publish=_publish,
    environment={
        "ALLOWED_HOSTS": "127.0.0.1",
        "DEBUG": "0",
        "SECRET_KEY": KEY,
        "SSE_API_KEY": KEY,
        "SSE_API_RATE": "0",
    },
    headers={"Authorization": f"Bearer {KEY}"},
)
REDIS: Final = replace(OURS, name="ours, Redis", needs=("redis",))
WEBSOCKET: Final = replace(
    OURS,
    name="ours, WebSocket",
    subscribe=f"/sse/ws?group={GROUP}",
    websocket=True,
)


def inside(groups: int, count: int) -> Target:
    """Return the project publishing from inside, `count` events at a time."""

    def publish(text: str) -> tuple[str, bytes]:
        return f"/bench/publish?count={count}&groups={groups}", text.encode()

    return replace(
        OURS,
        name=f"ours, inside, {groups:,} groups",
        command=_command("tests.bench.inside:application"),
        subscribe="/sse/groups/news.0",
        publish=publish,
    )


def is_ours(target: Target) -> bool:
    return target.name.startswith(OURS.name)


def is_open(data: bytearray) -> bool:
    """Whether a stream has been opened, by what it has received."""
    return b"stream-open" in data


def granted(count: int, position: str) -> list[str]:
    """Return the addresses of streams, each with a grant of visitors without a session.

    The position is the server's.
    """
    if not settings.configured:
        settings.configure(SECRET_KEY=KEY)
    grants = Grants(3600)
    texts = []
    for number in range(NAMES):
        names = [f"bench.{(number + n) % NAMES}" for n in range(GRANTED)]
        texts.append(grants.issue(names, parse_cursor(position))[0])
    return [f"/sse/stream?grant={texts[n % NAMES]}" for n in range(count)]
