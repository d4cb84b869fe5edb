"""An nginx in front of a server, as a test sets it up."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.servers import wait_until

# Debian has it in /usr/sbin, which is on the PATH of root alone.
NGINX = shutil.which(
    "nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
)
STOP_SECONDS = 10

CONFIGURATION = """
daemon off;
master_process off;
pid nginx.pid;
{main}
http {{
    access_log off;
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{http}}}
"""


@contextmanager
def running_nginx(folder: Path, http: str, url: str) -> Iterator[str]:
    """Yield the address of one before a server.

    The folder gets its files. What stands in `http {}` has `{port}` for its own port
    and `{url}` for the server.
    """
    port = free_port()
    with configured_nginx(folder, http.format(port=port, url=url), port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def configured_nginx(
    folder: Path, http: str, port: int, main: str = "events {}"
) -> Iterator[None]:
    """Have one run with what stands in `http {}`, and with what stands beside it.

    It has to listen at a port of 127.0.0.1. The folder gets its files.
    """
    if NGINX is None:
        message = "There is no nginx; Debian's package nginx-light has it."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    configuration = CONFIGURATION.format(http=http, main=main)
    (folder / "nginx.conf").write_text(configuration)
    process = subprocess.Popen(
        [NGINX, "-p", folder, "-c", "nginx.conf", "-e", "error.log"]
    )
    try:
        wait_until(lambda: process.poll() is not None or accepts(port))
        assert process.poll() is None, (folder / "error.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
