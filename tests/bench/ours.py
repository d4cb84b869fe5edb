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
from sse_components.events import hashed
from sse_components.grants import COOKIE, Grants, fingerprint
from sse_components.revocations import Whose
from sse_components.wire import parse_position
from tests.bench.target import Target

GROUP: Final = "news.updates"
GRANTED: Final = 5
"""How many groups a grant is of."""
NAMES: Final = 200
"""How many groups all grants are of: each is several visitors', as they are."""
KEY: Final = "bench"
EMPTY: Final = "/api/bench/empty"
"""Where there is an endpoint that does nothing, if there is."""


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
        "SSE_CONSOLE": "0",  # as it is where nobody asks for it
    },
    headers={"Authorization": f"Bearer {KEY}"},
)
REDIS: Final = replace(OURS, name="ours, Redis", needs=("redis",))
BESIDE_EMPTY: Final = replace(OURS, command=_command("tests.bench.empty:application"))
BESIDE_EMPTY_REDIS: Final = replace(
    REDIS, command=_command("tests.bench.empty:application")
)
LISTS: Final = replace(OURS, name="ours, to-do list", needs=("database",))
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


CHURNING: Final = replace(
    REDIS,
    name="ours, Redis, users come and go",
    command=_command("tests.bench.churning:application"),
    environment={**OURS.environment, "SSE_PRESENCE_GRACE_SECONDS": "1"},
)


def is_ours(target: Target) -> bool:
    return target.name.startswith(OURS.name)


def is_open(data: bytearray) -> bool:
    """Whether a stream has been opened, by what it has received."""
    return b"stream-open" in data


def granted(count: int, position: str) -> list[tuple[str, str]]:
    """Return the addresses of streams with their cookies, each with a user's grant.

    The position is the server's.
    """
    if not settings.configured:
        settings.configure(SECRET_KEY=KEY)
    grants, here = Grants(3600), parse_position(position)
    streams = []
    for number in range(count):
        names = [f"bench.{(number + n) % NAMES}" for n in range(GRANTED)]
        cookie = f"browser-{number}"
        whose = Whose(here, str(number), fingerprint(cookie), hashed(cookie))
        text, _ = grants.issue(names, whose)
        streams.append((f"/sse/stream?grant={text}", f"{COOKIE}={cookie}"))
    return streams
