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
events {{}}
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
    if NGINX is None:
        message = "There is no nginx; Debian's package nginx-light has it."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    port = free_port()
    configuration = CONFIGURATION.format(http=http.format(port=port, url=url))
    (folder / "nginx.conf").write_text(configuration)
    process = subprocess.Popen(
        [NGINX, "-p", folder, "-c", "nginx.conf", "-e", "error.log"]
    )
    try:
        wait_until(lambda: process.poll() is not None or _accepts(port))
        assert process.poll() is None, (folder / "error.log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
