"""The project under uvicorn, in a process of its own, started by its command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Self
from urllib.request import urlopen

from tests import databases
from tests.ports import free_port

ROOT = Path(__file__).parent.parent
START_SECONDS = 20
STOP_SECONDS = 10
STARTED = b"Application startup complete"

LOG_IN = """
from django.contrib import auth
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
with transaction.atomic():
    for number in range({count}):
        user = User.objects.create_user(f"user{{number}}")
        session = SessionStore()
        session[auth.SESSION_KEY] = str(user.pk)
        session[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        print(session.session_key)
"""


class Server:
    """Can be stopped and started again on the same port, like one in a deploy.

    The options are uvicorn's: `["--workers", "2"]`, or `["--reload"]`. The database
    is a new one, seeded, unless the environment has the `database_url` of another.
    """

    front: ClassVar[Callable[[int], int] | None] = None
    """Puts something in front of a server's port, and returns its own port."""

    def __init__(
        self,
        folder: Path,
        options: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        application: str = "project.asgi:application",
    ) -> None:
        self._folder = folder
        self._options = list(options)
        self._application = application
        own_database = databases.unused_url(folder)
        self._environment = os.environ | {
            "DATABASE_URL": own_database,
            "DJANGO_SETTINGS_MODULE": "project.settings",  # not those of the tests
            "SSE_API_KEY": "test-key",
            "PYTHONDEVMODE": "1",
            "PYTHONWARNINGS": "error",
        }
        self._environment |= environment or {}
        self.database_url = self._environment["DATABASE_URL"]
        self._process: subprocess.Popen[bytes] | None = None
        self._own_port = free_port()
        self.port = Server.front(self._own_port) if Server.front else self._own_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.headers = {"Authorization": "Bearer test-key"}
        if self.database_url == own_database:
            databases.make(own_database)
            dropped = weakref.finalize(self, databases.drop, own_database)
            dropped.atexit = False  # when PostgreSQL may be gone

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that serve, if this one has others do so."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(child) for child in children.split() if _serves(child)]

    @property
    def memory(self) -> int:
        """Bytes that the process has in memory."""
        return int(self._status("VmRSS")) * 1024

    @property
    def threads(self) -> int:
        return int(self._status("Threads"))

    @property
    def files(self) -> list[str]:
        """What the process has open."""
        found = []
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed in the meantime
                found.append(str(link.readlink()))
        return found

    @property
    def sockets(self) -> int:
        return sum(name.startswith("socket:") for name in self.files)

    @property
    def log(self) -> str:
        """All that the server has printed."""
        return (self._folder / "log").read_text()

    def manage(self, *arguments: str) -> str:
        """Run a management command against this server's database."""
        return databases.manage(self._environment, *arguments)

    def start_managing(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a management command that is told what to do, and answers, by lines."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def log_in(self, count: int) -> list[dict[str, str]]:
        """Return the headers of so many users who are logged in."""
        keys = self.manage("shell", "--verbosity=0", "-c", LOG_IN.format(count=count))
        return [{"Cookie": f"sessionid={key}"} for key in keys.split()]

    def start(self) -> None:
        """Return when the server answers, and of several workers each would."""
        arguments = [self._application, "--port", str(self._own_port)]
        with (self._folder / "log").open("ab") as log:
            printed = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", *arguments, *self._options],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                process_group=0,  # so that no worker outlives its end
            )
        deadline = time.monotonic() + START_SECONDS
        while not (self._answers() and self._all_have_started(printed)):
            assert self._process.poll() is None, f"uvicorn has exited:\n{self.log}"
            assert time.monotonic() < deadline, f"uvicorn is silent:\n{self.log}"
            time.sleep(0.02)

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Start it, and see that it ends in order and has logged no failure."""
        self.start()
        try:
            yield self
            assert self.stop() == 0
            assert "Traceback" not in self.log
            assert "ERROR" not in self.log
        finally:
            self.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop the process and return its exit code."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait(timeout=STOP_SECONDS)
        self.close()
        return code

    def close(self) -> None:
        """End what still runs, the workers too, without asking."""
        if self._process:
            with suppress(ProcessLookupError):  # all have ended
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait(timeout=STOP_SECONDS)
            self._process = None

    def _status(self, name: str) -> str:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return value.split()[0]
        raise LookupError(name)

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/api/openapi.json", timeout=5):
                return True
        except OSError:
            return False

    def _all_have_started(self, printed: int) -> bool:
        if "--workers" not in self._options:
            return True
        count = int(self._options[self._options.index("--workers") + 1])
        log = (self._folder / "log").read_bytes()
        return log.count(STARTED, printed) >= count


NewServer = Callable[..., Server]
"""Makes a server with options, and with variables of its environment."""


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return when something has become true, whose truth nobody announces."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It has not become true"
        time.sleep(0.01)


def _serves(pid: str) -> bool:
    """Whether a child is more than multiprocessing's resource tracker."""
    try:
        return b"--multiprocessing-fork" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # ended in the meantime
        return False
