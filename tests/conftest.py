"""Fixtures for all tests, and what is decided when they are collected."""

from __future__ import annotations

import inspect
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import dj_database_url
import hypothesis
import pytest
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from sse_components import bundles, runtime
from tests.postgresql import PostgreSQL
from tests.proxies import Proxy, tls_context
from tests.redis_servers import DEFAULT, NewRedisServer, RedisServer

DATABASE_FIXTURES = {"db", "transactional_db"}

hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")


@pytest.fixture(autouse=True)
def _no_runtime_is_left() -> Iterator[None]:
    yield
    runtime.reset()


@pytest.fixture(autouse=True)
def _no_thread_keeps_a_connection() -> Iterator[None]:
    """Close what a test has opened in threads, where nothing ends Django's requests."""
    opened: list[BaseDatabaseWrapper] = []

    def note(connection: BaseDatabaseWrapper, **_: object) -> None:
        opened.append(connection)

    connection_created.connect(note)
    yield
    connection_created.disconnect(note)
    own = connections.all(initialized_only=True)
    for connection in opened:
        if connection not in own:
            connection.inc_thread_sharing()
            connection.close()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a browser client that was built, or so it seems."""
    manifest = {
        "sse-components.js": "sse-components-ABC123.js",
        "sse-client.js": "sse-client-ABC123.js",
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "sse-components-ABC123.js").write_text("// the client")
    (tmp_path / "sse-client-ABC123.js").write_text("// the transport alone")
    (tmp_path / "sse-client.d.ts").write_text("// its types")
    monkeypatch.setattr(bundles, "FOLDERS", [tmp_path / "missing", tmp_path])
    caches = bundles.folder, bundles.file_name, bundles._contents
    for cache in caches:
        cache.cache_clear()
    yield tmp_path
    for cache in caches:
        cache.cache_clear()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One for all tests that only use it, each with a key prefix of its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.close()


@pytest.fixture
def new_redis_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[NewRedisServer]:
    """Makes servers that are not started yet, for a test that kills them."""
    servers: list[RedisServer] = []

    def new_redis_server(
        options: Sequence[str] = (), binary: Path = DEFAULT, password: str = ""
    ) -> RedisServer:
        folder = tmp_path_factory.mktemp("redis")
        servers.append(RedisServer(folder, options, binary, password))
        return servers[-1]

    yield new_redis_server
    for server in servers:
        server.close()


@pytest.fixture
async def tls_redis_url(
    redis_server: RedisServer, tmp_path: Path
) -> AsyncIterator[str]:
    """The shared server behind TLS. The URL trusts the certificate by its query."""
    authority_file = tmp_path / "authority.pem"
    proxy = Proxy(redis_server.port, tls_context(authority_file))
    await proxy.start()
    yield f"rediss://127.0.0.1:{proxy.port}/0?ssl_ca_certs={authority_file}"
    await proxy.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """One for tests of what uses it, whatever the others run on."""
    try:
        server = PostgreSQL()
    except FileNotFoundError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    server.start()
    yield server
    server.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgresql",
        action="store_true",
        help="Run on a PostgreSQL that is started for it, and not on SQLite.",
    )
    parser.addoption(
        "--atomic-requests",
        action="store_true",
        help="Run with a transaction around every request, as ATOMIC_REQUESTS has it.",
    )


def pytest_configure(config: pytest.Config) -> None:
    # What a shell runs in the background ignores Ctrl-C, and so does what that starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.postgresql and not hasattr(config, "workerinput"):
        _use_postgresql(config)
    if config.option.atomic_requests:
        settings.DATABASES["default"]["ATOMIC_REQUESTS"] = True


def _use_postgresql(config: pytest.Config) -> None:
    """Start PostgreSQL; the workers of pytest-xdist find it in their environment."""
    try:
        server = PostgreSQL()
    except FileNotFoundError as error:
        raise pytest.UsageError(str(error)) from None
    config.add_cleanup(server.close)
    server.start()
    os.environ["DATABASE_URL"] = server.url
    # pytest-django sets Django up before pytest reads this file.
    settings.DATABASES["default"] = dj_database_url.parse(server.url)
    connections.configure_settings(settings.DATABASES)
    del connections["default"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker or DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")
        # A transaction around an async test doesn't cover its other threads.
        asynchronous = inspect.iscoroutinefunction(getattr(item, "obj", None))
        if marker and asynchronous and not marker.kwargs.get("transaction"):
            raise pytest.UsageError(f"{item.nodeid}: use django_db(transaction=True)")
