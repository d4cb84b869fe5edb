"""A Pushpin in front of a server, as a test sets it up."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from tempfile import mkdtemp
from urllib.request import Request, urlopen

import pytest

from tests.nginx import accepts
from tests.ports import free_port
from tests.servers import wait_until

PUSHPIN = shutil.which("pushpin")
READY = "/sse/stream?group=broadcast"
"""What the server behind it has it hold."""
SECURE = {"X-Forwarded-Proto": "https"}
"""As by a proxy before it that ends TLS."""
START_SECONDS = 20
STOP_SECONDS = 10

CONFIGURATION = """
[global]
include={{libdir}}/internal.conf
rundir={sockets}
ipc_prefix={prefix}-

[runner]
services=zurl,condure,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:{port}
logdir={folder}
log_level=2
client_buffer_size=16384
client_maxconn=1000

[proxy]
routesfile={folder}/routes
sig_iss=pushpin
sig_key={key}
updates_check=off
zurl_out_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in
zurl_out_stream_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in-stream
zurl_in_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-out

[handler]
push_in_spec=ipc://{{rundir}}/{{ipc_prefix}}push-in
push_in_sub_specs=ipc://{{rundir}}/{{ipc_prefix}}push-in-sub
push_in_http_addr=127.0.0.1
push_in_http_port={control}
stats_spec=ipc://{{rundir}}/{{ipc_prefix}}stats
command_spec=ipc://{{rundir}}/{{ipc_prefix}}command
message_rate=1000000
message_hwm=1000000
message_wait=5000
id_cache_ttl=60
connection_subscription_max=20
"""


class Pushpin:
    """Can be killed, and started again on the same ports."""

    def __init__(self, folder: Path, configuration: str = CONFIGURATION) -> None:
        self._folder = folder
        self.port = free_port()
        self._control = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.grip_url = f"http://127.0.0.1:{self._control}"
        self.key = secrets.token_hex(32)
        self._process: subprocess.Popen[bytes] | None = None
        self._parts: list[int] = []
        """Processes of its own, which don't end with it when it is killed."""
        # The path of a socket has at most 107 bytes (unix(7)), and a test's is longer.
        self._sockets = mkdtemp(prefix="pushpin-")
        given = configuration.format(
            folder=folder,
            sockets=self._sockets,
            prefix=secrets.token_hex(4),
            port=self.port,
            control=self._control,
            key=self.key,
        )
        (folder / "pushpin.conf").write_text(given)

    @property
    def environment(self) -> dict[str, str]:
        """What a server behind it is to know."""
        return {"GRIP_URL": self.grip_url, "GRIP_KEY": self.key}

    @property
    def log(self) -> str:
        """All that it has printed."""
        return (self._folder / "pushpin.log").read_text()

    @property
    def asked(self) -> int:
        """How often it has asked by itself; it logs that."""
        return (self._folder / "pushpin-handler.log").read_text().count("/sse/grip ")

    def start(self, port: int) -> None:
        """Put it before a server at a port of this machine."""
        if PUSHPIN is None:
            message = "There is no Pushpin; Debian's package pushpin has it."
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        (self._folder / "routes").write_text(f"* 127.0.0.1:{port}\n")
        with (self._folder / "pushpin.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PUSHPIN, f"--config={self._folder / 'pushpin.conf'}"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(self._is_up, START_SECONDS)
        finally:
            self._parts = _children(self._process.pid)

    def kill(self) -> None:
        """End it and all its parts without a word."""
        if self._process is None:
            return
        for pid in [self._process.pid, *self._parts]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS)
        self._process = None
        self._parts = []
        wait_until(lambda: not accepts(self.port))

    def close(self) -> None:
        """End it in order, and what doesn't end so without asking."""
        if self._process:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
                self._parts = []  # which it has ended
        self.kill()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _is_up(self) -> bool:
        assert self._process
        assert self._process.poll() is None, f"Pushpin has exited:\n{self.log}"
        return accepts(self._control) and self._holds()

    def _holds(self) -> bool:
        """Whether it holds a stream: its parts find each other after a while."""
        try:
            with urlopen(Request(f"{self.url}{READY}", headers=SECURE), timeout=5):
                return True
        except (OSError, HTTPException):  # an HTTPError is an OSError
            return False


def _children(pid: int) -> list[int]:
    with suppress(FileNotFoundError):
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in found.split()]
    return []


@contextmanager
def running_pushpin(pushpin: Pushpin, port: int) -> Iterator[Pushpin]:
    """Have one run before a server as long as this lasts."""
    pushpin.start(port)
    try:
        yield pushpin
    finally:
        pushpin.close()
