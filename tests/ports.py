"""Ports for servers that tests start, and may start again on the same one."""

from __future__ import annotations

import secrets
import socket
from contextlib import closing, suppress


def free_port() -> int:
    """Return one that no outgoing connection takes, nor its cluster port.

    The system takes outgoing ports from 32768 on, and a cluster port is higher by
    10000. A client that retries a dead server among them would one day connect to
    itself, or keep the server from coming back.
    """
    while True:
        port = 12_000 + secrets.randbelow(10_000)  # pytest-randomly can't repeat it
        with suppress(OSError), closing(socket.create_server(("127.0.0.1", port))):
            return port
