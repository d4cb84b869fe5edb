"""A Caddy in front of a server, as a test sets it up."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nginx import accepts
from tests.ports import free_port
from tests.servers import wait_until

CADDY = shutil.which("caddy")
START_SECONDS = 20
STOP_SECONDS = 10

OPTIONS = """{{
    admin off
    skip_install_trust
    default_bind 127.0.0.1
    http_port {http_port}
    https_port {https_port}
"""
"""What a test adds to the options of all sites."""


@dataclass(frozen=True, slots=True)
class Caddy:
    """One that runs, with a certificate for localhost."""

    url: str
    plain_url: str
    authority: Path
    """The certificate of who has signed its own."""
    process: subprocess.Popen[bytes]


@contextmanager
def running_caddy(folder: Path, caddyfile: str) -> Iterator[Caddy]:
    """Yield one with a Caddyfile that begins with options, and has localhost as site.

    The folder gets its files, and its log.
    """
    if CADDY is None:
        message = "There is no Caddy; Debian's package caddy has it."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    http_port, https_port = free_port(), free_port()
    options = OPTIONS.format(http_port=http_port, https_port=https_port)
    (folder / "Caddyfile").write_text(caddyfile.replace("{\n", options, 1))
    own = {"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
    command = [CADDY, "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | own, stdout=log, stderr=log
        )
    authority = folder / "caddy/pki/authorities/local/root.crt"
    try:
        wait_until(
            lambda: (
                process.poll() is not None
                or (accepts(http_port) and _has_certificate(https_port, authority))
            ),
            START_SECONDS,
        )
        assert process.poll() is None, (folder / "log").read_text()
        yield Caddy(
            f"https://localhost:{https_port}",
            f"http://localhost:{http_port}",
            authority,
            process,
        )
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


def _has_certificate(port: int, authority: Path) -> bool:
    try:
        context = ssl.create_default_context(cafile=authority)
        with (
            socket.create_connection(("127.0.0.1", port), 1) as connection,
            context.wrap_socket(connection, server_hostname="localhost"),
        ):
            return True
    except OSError:
        return False
