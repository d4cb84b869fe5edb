from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import databases
from tests.redis_servers import RedisServer
from tests.servers import ROOT, Server


def _run(
    *arguments: str, database: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    given = {
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "PYTHONDEVMODE": "1",
        "PYTHONWARNINGS": "error",
    }
    return subprocess.run(
        [sys.executable, "manage.py", "sse_doctor", *arguments],
        cwd=ROOT,
        env=os.environ | given | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = databases.unused_url(tmp_path_factory.mktemp("database"))
    databases.make(url)
    return url


def _found(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return {one["subject"]: one for one in json.loads(done.stdout)}


# A12
def test_the_demo_is_well(database: str) -> None:
    done = _run("--json", database=database)
    assert done.stderr == ""
    assert done.returncode == 0
    found = _found(done)
    del found["open files"]  # which is the machine's
    assert {name: one["level"] for name, one in found.items()} == {
        "system checks": "ok",
        "ASGI application": "ok",
        "broker": "ok",
        "browser client": "ok",
        "API tables": "ok",
    }


def test_an_error_is_a_line_with_its_cure_and_an_exit_code(database: str) -> None:
    done = _run(database=database, WEB_CONCURRENCY="2")
    assert done.returncode == 1
    assert done.stderr == ""
    (line,) = (one for one in done.stdout.splitlines() if "error" in one)
    assert line.startswith("error    broker: the embedded one is one process")
    assert line.endswith("WEB_CONCURRENCY to 1.")
    lines = [one for one in done.stdout.splitlines() if one.startswith("ok  ")]
    assert len(lines) >= 4


def test_settings_at_fault_are_told_alone(database: str) -> None:
    done = _run("--json", database=database, SSE_BROKER_URL="nonsense")
    assert done.returncode == 1
    assert list(_found(done)) == ["sse_components.E001"]


def test_the_public_address_of_a_site_is_looked_at(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    environment = {"SSE_BROKER_URL": redis_server.url}
    server = Server(tmp_path, environment=environment)
    with server.running():
        done = _run(
            "--json",
            "--url",
            server.url,
            database=server.database_url,
            SSE_BROKER_URL=redis_server.url,
        )
    assert done.stderr == ""
    assert done.returncode == 0
    found = _found(done)
    assert found["event"]["text"].startswith("it came ")
    assert found["buffering"]["level"] == "ok"
    assert found["WebSocket"]["level"] == "ok"


def test_an_address_that_can_not_be_reached_ends_it(database: str) -> None:
    done = _run("--json", "--url", "http://127.0.0.1:1/", database=database)
    assert done.returncode == 1
    assert list(_found(done))[-1] == "address"


def test_what_is_no_address_is_refused(database: str) -> None:
    done = _run("--url", "example.com", database=database)
    assert done.returncode == 1
    assert "'example.com' is no address like" in done.stderr
    assert "Traceback" not in done.stderr
