"""Databases for servers, with what the demo has, on what the tests run on."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

from django.db import connections

from tests import postgresql

P = ParamSpec("P")
R = TypeVar("R")

ROOT = Path(__file__).parent.parent
SQLITE = "sqlite:///"


def unused_url(folder: Path) -> str:
    """Return the URL of a database that isn't there yet."""
    tests = os.environ.get("DATABASE_URL", "")
    if postgresql.is_postgresql(tests):
        return postgresql.unused_url(tests)
    return f"{SQLITE}{folder / 'db.sqlite3'}"


def make(url: str) -> None:
    """Make it in the time of a copy."""
    if postgresql.is_postgresql(url):
        postgresql.create_database(url, _seeded_database(os.environ["DATABASE_URL"]))
    else:
        Path(url.removeprefix(SQLITE)).write_bytes(_seeded_file())


def drop(url: str) -> None:
    """Make room for others. A file stays, for who wants to know what was in it."""
    if postgresql.is_postgresql(url):
        postgresql.drop_database(url)


def manage(environment: dict[str, str], *arguments: str) -> str:
    """Run a management command and return what it has printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return what a function does with the tests' database; a loop may be running."""

    def call() -> R:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()


@cache
def _seeded_database(tests: str) -> str:
    """Made once for all servers, beside the tests' own."""
    url = postgresql.unused_url(tests)
    postgresql.create_database(url)
    _seed(url)
    return url


@cache
def _seeded_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db.sqlite3"
        _seed(f"{SQLITE}{path}")
        return path.read_bytes()


def _seed(url: str) -> None:
    environment = os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }
    manage(environment, "migrate", "--verbosity=0")
    manage(environment, "seed")
