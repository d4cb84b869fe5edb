"""Fixtures: the application, and sessions of visitors."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from sse_components import runtime
from sse_components.asgi import Application, get_asgi_application
from tests.communicator import Opener, connect, request


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Application]:
    """The project's application; a hub starts with its first stream."""
    settings.SSE_API_KEY = "test-key"
    yield get_asgi_application()
    await runtime.stop()


@pytest.fixture
def user(transactional_db: None) -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def session_key(user: User, client: Client) -> str:
    """The key of a session in which the user is logged in."""
    client.force_login(user)
    return str(client.cookies[django_settings.SESSION_COOKIE_NAME].value)


@pytest.fixture
def other_session_key(transactional_db: None) -> str:
    """The key of a session in which another user is logged in."""
    client = Client()
    client.force_login(User.objects.create_user("otto"))
    return str(client.cookies[django_settings.SESSION_COOKIE_NAME].value)


@pytest.fixture
def anonymous_key(transactional_db: None, client: Client) -> str:
    session = client.session
    session["cart"] = [1]
    session.save()
    return str(session.session_key)


@pytest.fixture(params=[request, connect], ids=["sse", "websocket"])
def stream(request: pytest.FixtureRequest) -> Opener:
    """Opens a stream of a page, over each of the transports."""
    opener: Opener = request.param
    return opener
