"""What others offer for the same: each a server as its own documentation has it.

All run in one process, those in Python on uvicorn with the same options as ours. All
are sent the same JSON, and it is the data of the event that their subscribers get.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

from tests.bench.peers import nchan
from tests.bench.target import Target

NCHAN: Final = "nchan"
EVENTSTREAM: Final = "django-eventstream"
IN_MEMORY: Final = "Channels, in memory"
REDIS: Final = "Channels, Redis"
STARLETTE: Final = "sse-starlette"
NAMES: Final = (NCHAN, EVENTSTREAM, IN_MEMORY, REDIS, STARLETTE)
"""All there are, installed or not."""


def installed() -> list[Target]:
    """Return the peers that can be started here."""
    return [peer for peer in (_nchan(), *map(_python, _PYTHON)) if peer]


def _nchan() -> Target | None:
    version = nchan.version()
    if version is None:
        return None
    return Target(NCHAN, version, nchan.command, "/events", _publish)


def _python(name: str) -> Target | None:
    packages, application, subscribe = _PYTHON[name]
    try:
        versions = [metadata.version(package) for package in packages]
    except metadata.PackageNotFoundError:
        return None
    others = zip(packages[1:], versions[1:], strict=True)
    is_channels = name in (IN_MEMORY, REDIS)
    return Target(
        name,
        ", ".join([versions[0], *(f"{other} {version}" for other, version in others)]),
        _uvicorn(application, factory=is_channels),
        subscribe,
        _publish,
        websocket=is_channels,
        needs=("redis",) if name == REDIS else (),
    )


_PYTHON: Final = {
    EVENTSTREAM: (["django-eventstream"], "eventstream:application", "/events/"),
    IN_MEMORY: (["channels"], "channels:in_memory", "/events"),
    REDIS: (["channels", "channels-redis"], "channels:through_redis", "/events"),
    STARLETTE: (["sse-starlette", "starlette"], "starlette:application", "/events"),
}
"""The packages, the first of which is measured; what uvicorn runs; a stream."""


def _uvicorn(application: str, *, factory: bool) -> Callable[[int, Path], list[str]]:
    def command(port: int, folder: Path) -> list[str]:
        quiet = ["--log-level", "warning", "--no-access-log"]
        same = ["--ws-per-message-deflate", "false", "--timeout-keep-alive", "60"]
        address = ["--host", "127.0.0.1", "--port", str(port)]
        # The load answers no ping; a slow peer shall be measured and not cut off.
        same += ["--ws-ping-timeout", "600"]
        return [
            *(sys.executable, "-m", "uvicorn", f"{__name__}.{application}"),
            *(*address, *quiet, *same, *(["--factory"] if factory else [])),
        ]

    return command


def _publish(text: str) -> tuple[str, bytes]:
    return "/publish", json.dumps({"headline": text}).encode()
