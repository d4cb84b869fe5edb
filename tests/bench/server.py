"""A target that runs: on a core of its own, with what it needs, until it is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

from tests.bench.load import Failed
from tests.bench.target import Target
from tests.redis_servers import RedisServer

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 20
STOP_SECONDS = 3
CORES = sorted(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Running:
    """A server that accepts connections."""

    target: Target
    port: int
    pid: int
    redis: RedisServer | None

    @property
    def memory(self) -> int:
        """Bytes in memory of the process and what it has started."""
        return sum(int(_status(pid, "VmRSS")) for pid in self._pids) * 1024

    @property
    def threads(self) -> int:
        return sum(int(_status(pid, "Threads")) for pid in self._pids)

    @property
    def databases(self) -> int:
        """How often its database's file is open."""
        count = 0
        for pid in self._pids:
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(FileNotFoundError):  # closed in the meantime
                    count += link.readlink().name.startswith("db.sqlite3")
        return count

    def post(self, address: str, content: object) -> Any:
        """Send JSON as a publisher and return the answer's."""
        request = Request(
            f"http://127.0.0.1:{self.port}{address}",
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json", **self.target.headers},
        )
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def get(self, address: str) -> Any:
        """Return what JSON there is at an address, which may take a while to say."""
        with urlopen(f"http://127.0.0.1:{self.port}{address}", timeout=30) as answer:
            return json.load(answer)

    @property
    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [self.pid, *map(int, children.split())]


def prepare() -> None:
    """Give the load its core, and it and all servers the descriptors they may have."""
    os.sched_setaffinity(0, {CORES[-1]})
    hard = getrlimit(RLIMIT_NOFILE)[1]
    setrlimit(RLIMIT_NOFILE, (hard, hard))


@contextmanager
def running(target: Target) -> Iterator[Running]:
    """Start a target and stop it, and its Redis, whatever happens meanwhile."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        environment = os.environ | {"DATABASE_URL": f"sqlite:///{folder}/db.sqlite3"}
        redis = None
        if "redis" in target.needs:
            (folder / "redis").mkdir()
            redis = RedisServer(folder / "redis")
            stack.callback(redis.close)
            redis.start()
            # The second is what the project calls it.
            environment |= {"REDIS_URL": redis.url, "SSE_BROKER_URL": redis.url}
        environment |= target.environment
        if "database" in target.needs:
            _migrate(environment)
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port: int = free.getsockname()[1]
        process = _start(target.command(port, folder), environment, folder / "log")
        stack.callback(_stop, process)
        _wait(process, port, folder / "log")
        yield Running(target, port, process.pid, redis)


def _migrate(environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def _start(
    command: list[str], environment: dict[str, str], log: Path
) -> subprocess.Popen[bytes]:
    os.sched_setaffinity(0, {CORES[0]})  # is inherited
    try:
        with log.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
                process_group=0,  # so that all it starts ends with it
            )
    finally:
        os.sched_setaffinity(0, {CORES[-1]})


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise Failed(f"The server doesn't start: {said[:200]}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):  # some wait for their streams
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):  # all have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _status(pid: int, name: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.split()[0]
    raise LookupError(name)
