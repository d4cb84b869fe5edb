from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.postgresql import PostgreSQL, create_database, drop_database, unused_url
from tests.servers import ROOT, wait_until

START = """
from tests.postgresql import PostgreSQL
server = PostgreSQL()
server.start()
print(server.folder, flush=True)
input()
"""


def ask(url: str, question: str) -> object:
    """Return the only value of the only row."""
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row
    return row[0]


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


@pytest.mark.django_db
def test_the_tests_run_on_what_was_asked_for(pytestconfig: pytest.Config) -> None:
    expected = "postgresql" if pytestconfig.option.postgresql else "sqlite"
    assert connection.vendor == expected
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_what_is_marked_for_djangos_database_runs_on_postgresql_too(
    request: pytest.FixtureRequest,
) -> None:
    assert request.node.get_closest_marker("database")


def test_what_has_a_fixture_of_djangos_database_runs_on_postgresql_too(
    request: pytest.FixtureRequest, db: None
) -> None:
    assert request.node.get_closest_marker("database")


def test_a_database_is_a_copy_that_goes_its_own_way(postgresql: PostgreSQL) -> None:
    original, copy = unused_url(postgresql.url), unused_url(postgresql.url)
    create_database(original)
    execute(original, "CREATE TABLE news AS SELECT 'first' AS title")
    create_database(copy, original)
    execute(copy, "INSERT INTO news VALUES ('second')")
    assert ask(original, "SELECT count(*) FROM news") == 1
    assert ask(copy, "SELECT count(*) FROM news") == 2


def test_a_database_is_dropped_whoever_uses_it(postgresql: PostgreSQL) -> None:
    url = unused_url(postgresql.url)
    create_database(url)
    with psycopg.connect(url) as used:
        drop_database(url)
        with pytest.raises(psycopg.OperationalError):
            used.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_letters_are_the_same_on_every_machine(postgresql: PostgreSQL) -> None:
    url = unused_url(postgresql.url)
    create_database(url)
    assert ask(url, "SHOW server_encoding") == "UTF8"
    assert ask(url, "SELECT lower('Ü')") == "ü"
    assert ask(url, "SELECT 'Z' < 'a'")


def test_after_its_end_there_is_no_process_and_no_file() -> None:
    server = PostgreSQL()
    server.start()
    pid = server.pid
    assert Path(f"/proc/{pid}").exists()
    with psycopg.connect(f"{server.url.rpartition('/')[0]}/postgres"):  # still there
        server.close()
    assert not Path(f"/proc/{pid}").exists()
    assert not server.folder.exists()


def test_it_ends_with_the_process_that_has_started_it() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", START],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    folder = Path(process.stdout.readline().strip())
    pid_file = folder / "data" / "postmaster.pid"
    assert pid_file.exists()
    process.kill()
    process.communicate()
    wait_until(lambda: not pid_file.exists())
    shutil.rmtree(folder)


def test_one_that_cannot_start_says_why() -> None:
    server = PostgreSQL(["--no_such_setting=on"])
    with pytest.raises(AssertionError, match="no_such_setting"):
        server.start()
    server.close()


def test_where_there_is_none_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POSTGRESQL_BIN", "/nowhere")
    with pytest.raises(FileNotFoundError, match="install the package postgresql"):
        PostgreSQL()
