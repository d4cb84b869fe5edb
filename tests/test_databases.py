from __future__ import annotations

import gc
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from project.demo.management.commands.seed import HEADLINES
from tests.postgresql import PostgreSQL
from tests.servers import Server

ABOUT = """
from django.contrib.auth.models import User
from django.db import connection
print(connection.vendor, *User.objects.values_list("username", flat=True))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def vendor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the tests run on."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").url
        monkeypatch.setenv("DATABASE_URL", url)
    return str(request.param)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    return folders


def about(server: Server) -> list[str]:
    """Return what its database is, and who is in it beside the demo's."""
    found = server.manage("shell", "--verbosity=0", "-c", ABOUT).split()
    return [word for word in found if word != "staff"]


def test_a_server_has_a_database_of_its_own(vendor: str, folders: list[Path]) -> None:
    one, other = map(Server, folders)
    one.log_in(2)
    assert about(one) == [vendor, "user0", "user1"]
    assert about(other) == [vendor]


def test_two_servers_can_have_one_database(vendor: str, folders: list[Path]) -> None:
    one = Server(folders[0])
    other = Server(folders[1], environment={"DATABASE_URL": one.database_url})
    one.log_in(1)
    assert about(other) == [vendor, "user0"]
    assert not list(folders[1].iterdir())


def test_the_database_of_a_server_goes_with_it(
    postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgresql.url)
    server = Server(tmp_path)
    url = server.database_url
    psycopg.connect(url).close()
    del server
    gc.collect()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


@pytest.mark.database
def test_a_server_serves_what_its_database_has(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    server = Server(tmp_path)
    expected = "postgresql" if pytestconfig.option.postgresql else "sqlite"
    assert about(server) == [expected]
    server.start()
    with urlopen(server.url) as answer:
        page = answer.read().decode()
    assert any(headline in page for headline in HEADLINES)
    assert server.stop() == 0
    assert "Traceback" not in server.log
