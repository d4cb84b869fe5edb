"""The project under uvicorn, in a process of its own, started by its command line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent
START_SECONDS = 20
STOP_SECONDS = 10


class Server:
    """Can be stopped and started again on the same port, like one in a deploy."""

    def __init__(
        self,
        folder: Path,
        options: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._options = list(options)
        self._environment = os.environ | {
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "SSE_API_KEY": "test-key",
            "PYTHONDEVMODE": "1",
            "PYTHONWARNINGS": "error",
        }
        self._environment |= environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.headers = {"Authorization": "Bearer test-key"}
        self.manage("migrate", "--verbosity=0")
        self.manage("seed")

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def log(self) -> str:
        """All that the server has printed."""
        return (self._folder / "log").read_text()

    def manage(self, *arguments: str) -> str:
        """Run a management command against this server's database."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def start(self) -> None:
        arguments = ["project.asgi:application", "--port", str(self.port)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", *arguments, *self._options],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, f"uvicorn has exited:\n{self.log}"
            assert time.monotonic() < deadline, f"uvicorn is silent:\n{self.log}"
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop the process and return its exit code."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait(timeout=STOP_SECONDS)
        self._process = None
        return code

    def close(self) -> None:
        """End what still runs, without asking."""
        if self._process:
            self._process.kill()
            self._process.wait(timeout=STOP_SECONDS)
            self._process = None

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/api/openapi.json", timeout=5):
                return True
        except OSError:
            return False
