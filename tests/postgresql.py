"""A PostgreSQL of the tests' own, in a process of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
from psycopg.sql import SQL, Composed, Identifier

START_SECONDS = 20
STOP_SECONDS = 10
USER = "postgres"  # of the system, and of the databases
MISSING = (
    "There is no PostgreSQL: install the package postgresql, or set POSTGRESQL_BIN to "
    "the folder of its binaries."
)
INITDB = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--wal-segsize=1"]
OPTIONS = [
    "--autovacuum=off",  # would use a database that is about to be copied
    "--fsync=off",
    "--full_page_writes=off",
    "--listen_addresses=",
    "--synchronous_commit=off",
]


class PostgreSQL:
    """Listens on a socket in a folder of its own, and ends with who has started it."""

    def __init__(self, options: Sequence[str] = ()) -> None:
        self._options = [*OPTIONS, *options]
        self._binaries = _binaries()
        self._owner = USER if os.geteuid() == 0 else None  # it refuses root
        # Where that user gets to, and short enough for the path of a socket.
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir="/tmp"))
        self.url = f"postgresql://{USER}@{quote(str(self.folder), safe='')}/project"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it has printed."""
        return (self.folder / "log").read_text()

    def start(self) -> None:
        """Return when it answers."""
        if self._owner:
            shutil.chown(self.folder, self._owner)
        data = self.folder / "data"
        made = self._spawn("initdb", f"--username={USER}", "--no-sync", *INITDB, data)
        assert made.wait() == 0, f"initdb has failed:\n{self.log}"
        self._process = self._spawn(
            "postgres", "-D", data, "-k", self.folder, *self._options
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, f"PostgreSQL has exited:\n{self.log}"
            assert time.monotonic() < deadline, f"PostgreSQL is silent:\n{self.log}"
            time.sleep(0.02)

    def close(self) -> None:
        """End it, whoever is connected, and leave nothing."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=STOP_SECONDS)
            self._process = None
        shutil.rmtree(self.folder)

    def _spawn(self, name: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig=INT", self._binaries / name, *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                user=self._owner,
                group=self._owner,
                extra_groups=[] if self._owner else None,
                process_group=0,  # so that Ctrl-C is for the tests, which end first
            )

    def _answers(self) -> bool:
        try:
            _run(self.url, SQL("SELECT 1"))
        except psycopg.OperationalError:
            return False
        return True


def is_postgresql(url: str) -> bool:
    return url.startswith("postgresql:")


def unused_url(url: str) -> str:
    """Return that of a database that isn't there yet, on the same PostgreSQL."""
    return urlsplit(url)._replace(path=f"/tests_{secrets.token_hex(8)}").geturl()


def create_database(url: str, template_url: str = "/template1") -> None:
    """Make it as a copy of another, which nobody may use meanwhile."""
    statement = SQL("CREATE DATABASE {} TEMPLATE {}")
    _run(url, statement.format(_name(url), _name(template_url)))


def drop_database(url: str) -> None:
    """Drop it, whoever uses it."""
    _run(url, SQL("DROP DATABASE {} WITH (FORCE)").format(_name(url)))


def _binaries() -> Path:
    """Return the folder that is named, or Debian's newest, or one in the PATH."""
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
    usual = os.pathsep.join([*map(str, newest), os.environ["PATH"]])
    found = shutil.which("initdb", path=os.environ.get("POSTGRESQL_BIN") or usual)
    if not found:
        raise FileNotFoundError(MISSING)
    return Path(found).parent


def _run(url: str, statement: SQL | Composed) -> None:
    """Run a statement where a URL's database is, or is to be."""
    other = urlsplit(url)._replace(path="/postgres").geturl()
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(statement)


def _name(url: str) -> Identifier:
    return Identifier(urlsplit(url).path.removeprefix("/"))
