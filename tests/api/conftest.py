"""Fixtures: a process that serves streams, a system that publishes, what was heard."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import closing
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from api.access import SCOPES
from api.keyring import keyring
from api.keys import digest, prefix_of
from api.models import ApiKey
from sse_components import runtime
from sse_components.asgi import Application, get_asgi_application
from sse_components.events import Event
from sse_components.hub import Hub
from tests.api.clients import KEY, Person, System
from tests.databases import in_thread

Heard = Callable[..., Awaitable[list[Event]]]
Limit = Callable[..., None]

SETTINGS: dict[str, Any] = {
    "PUBLIC_GROUPS": ["chat.**"],
    "PRESENCE_GROUPS": ["chat.**"],
    "PRESENCE_LEASE_SECONDS": 3,
    "PRESENCE_GRACE_SECONDS": 0.1,
}


@pytest.fixture
def system(settings: Settings) -> System:
    settings.SSE_API_KEY = KEY
    settings.SSE_API_RATE = 0
    return System()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    yield await runtime.start()
    await runtime.stop()


@pytest.fixture
async def heard(hub: Hub) -> Heard:
    """Returns what was published to groups; without any, to all below `news`."""
    feed = await runtime.broker().feed()
    cursor = await feed.subscribe(["news.*"])

    async def heard(*groups: str) -> list[Event]:
        answer = await runtime.broker().resume(cursor, groups or ["news.*"], 2000)
        assert not answer.lost
        return list(answer.events)

    return heard


@pytest.fixture
async def app(system: System, settings: Settings) -> AsyncIterator[Application]:
    """The application whose streams and presence the system asks for."""
    settings.SSE_COMPONENTS = SETTINGS
    await runtime.start()
    yield get_asgi_application()
    await runtime.stop()


@pytest.fixture
def anna(transactional_db: None) -> Person:
    return _logged_in("anna")


@pytest.fixture
def otto(transactional_db: None) -> Person:
    return _logged_in("otto")


def _logged_in(name: str) -> Person:
    client, user = Client(), User.objects.create_user(name)
    client.force_login(user)
    cookie = django_settings.SESSION_COOKIE_NAME
    return Person(str(user.pk), {"Cookie": f"{cookie}={client.cookies[cookie].value}"})


@pytest.fixture(autouse=True)
def no_key_is_known() -> None:
    """Nor any of a test before, which the process would know for a moment longer."""
    keyring.forget()


@pytest.fixture
def limit(system: System, settings: Settings, transactional_db: None) -> Limit:
    """Has the system's key be one of the table, with patterns and scopes."""
    settings.SSE_API_KEY = ""

    def limit(*patterns: str, scopes: Iterable[str] = SCOPES) -> None:
        in_thread(_limit, patterns, sorted(scopes))

    return limit


def _limit(patterns: Iterable[str], scopes: Iterable[str]) -> None:
    key, _ = ApiKey.objects.get_or_create(name="limited")
    key.patterns, key.scopes = list(patterns), list(scopes)
    key.save()
    if not key.secrets.exists():
        key.secrets.create(prefix=prefix_of(KEY) or "", digest=digest(KEY))


@pytest.fixture
async def nowhere() -> AsyncIterator[str]:
    """The address of a broker that is away."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    yield f"redis://127.0.0.1:{port}/0"
    await runtime.stop()
