"""Keeps the processes of one server to one, where only one may serve."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from sse_components import conf

try:
    import fcntl
except ImportError:  # where there are no processes that share a socket either
    fcntl = None  # type: ignore[assignment]

FILES = Path("/dev/fd")
PATIENCE_SECONDS = 2
STEP_SECONDS = 0.05


async def refuse_a_second(patience: float = PATIENCE_SECONDS) -> None:
    """Claim the sockets that a supervisor has handed to this process.

    Raises `ImproperlyConfigured` if another process has them: the embedded broker
    would reach the clients of one of the two. A server that opens its own socket has
    none yet when it starts the application, and shares it with nobody.
    """
    if not await _claimed(patience):
        raise ImproperlyConfigured(
            "A second worker can't start: the embedded broker "
            f"({conf.NAME}['BROKER_URL'] = 'memory://') is one process. Start one "
            f"worker, or set {conf.NAME}['BROKER_URL'] to a Redis: 'redis://…'."
        )


async def _claimed(patience: float) -> bool:
    # A supervisor that replaces its worker may start the next one a moment before it
    # tells the last to stop, and nothing says when a lock is free.
    deadline = time.monotonic() + patience
    while not all(map(_lock, _handed_over())):
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(STEP_SECONDS)
    return True


def _lock(number: int) -> bool:
    """Lock a socket itself, for this process, until it is closed or the process ends.

    Record locks belong to a process, so those who share the socket exclude each other;
    nothing is left of them after a kill -9.
    """
    try:
        fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Other systems than Linux can't lock a socket.
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def _handed_over() -> Iterator[int]:
    """Find the sockets to accept connections at, bound before this process began."""
    if fcntl is None or not FILES.is_dir():
        return
    for number in sorted(int(file.name) for file in FILES.iterdir()):
        with suppress(OSError):  # closed in the meantime, as that of the list itself
            if stat.S_ISSOCK(os.fstat(number).st_mode) and _is_bound(number):
                yield number


def _is_bound(number: int) -> bool:
    found = socket.socket(fileno=number)
    try:
        return (
            found.type == socket.SOCK_STREAM
            and _has_address(found)
            and not _has_peer(found)
        )
    finally:
        found.detach()  # it is the server's


def _has_address(found: socket.socket) -> bool:
    address = found.getsockname()
    if found.family in (socket.AF_INET, socket.AF_INET6):
        _, port, *_ = address
        return bool(port)
    return bool(address)


def _has_peer(found: socket.socket) -> bool:
    try:
        found.getpeername()
    except OSError:
        return False
    return True
