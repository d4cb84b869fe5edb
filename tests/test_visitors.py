from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from sse_components.groups import Visitor
from sse_components.visitors import look_up, session_key

STORES = [
    "django.contrib.sessions.backends.db",
    "django.contrib.sessions.backends.cache",
    "django.contrib.sessions.backends.cached_db",
    "django.contrib.sessions.backends.file",
    "django.contrib.sessions.backends.signed_cookies",
]
NOBODY = Visitor(None, None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of sessions in files; their store asks for it once and for all."""
    return tmp_path_factory.mktemp("sessions")


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("anna")


def logged_in(client: Client, user: User) -> str:
    client.force_login(user)
    return str(client.cookies["sessionid"].value)


@pytest.mark.parametrize(
    ("cookies", "key"),
    [
        ("sessionid=abc", "abc"),
        ("theme=dark; sessionid=abc; csrftoken=x", "abc"),
        ('sessionid="abc"', "abc"),
        ("sessionid=", None),
        ("session=abc", None),
        ("", None),
        (";;;=;sessionid", None),
    ],
)
def test_the_session_key_is_read_from_the_cookies(
    cookies: str, key: str | None
) -> None:
    assert session_key(cookies) == key


def test_the_session_cookie_has_the_name_in_the_settings(settings: Settings) -> None:
    settings.SESSION_COOKIE_NAME = "mine"
    assert session_key("sessionid=theirs; mine=abc") == "abc"


@pytest.mark.parametrize("store", STORES)
def test_a_session_that_is_logged_in_is_its_users(
    user: User, client: Client, settings: Settings, store: str, folder: Path
) -> None:
    settings.SESSION_ENGINE = store
    settings.SESSION_FILE_PATH = str(folder)
    key = logged_in(client, user)
    assert look_up(key) == Visitor(user, key)


def test_a_session_without_a_login_has_no_user(client: Client, db: None) -> None:
    session = client.session
    session["cart"] = [1]
    session.save()
    assert session.session_key
    assert look_up(session.session_key) == Visitor(None, session.session_key)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("key", ["x" * 32, "x", "../../passwd", "\0" * 32, "ÿ" * 5000])
def test_a_key_that_is_no_sessions_is_nobodys(
    db: None, settings: Settings, store: str, key: str, folder: Path
) -> None:
    settings.SESSION_ENGINE = store
    settings.SESSION_FILE_PATH = str(folder)
    assert look_up(key) == NOBODY
    assert not Session.objects.exists()


def test_an_expired_session_is_nobodys(user: User, client: Client) -> None:
    key = logged_in(client, user)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert look_up(key) == NOBODY


def test_a_user_who_is_not_active_is_nobody(user: User, client: Client) -> None:
    key = logged_in(client, user)
    User.objects.update(is_active=False)
    assert look_up(key).user is None


def test_a_user_who_was_deleted_is_nobody(user: User, client: Client) -> None:
    key = logged_in(client, user)
    user.delete()
    assert look_up(key).user is None


def test_a_login_from_before_a_change_of_password_is_nobodys(
    user: User, client: Client
) -> None:
    key = logged_in(client, user)
    User.objects.update(password="another hash")
    before = Session.objects.get()
    assert look_up(key) == NOBODY
    # Django would flush the session here, whose cookie a stream can't change.
    after = Session.objects.get()
    assert (after.session_key, after.session_data) == (key, before.session_data)


def test_a_login_under_a_former_secret_key_counts_and_is_left_as_it_is(
    user: User, client: Client, settings: Settings
) -> None:
    key = logged_in(client, user)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "of today"
    before = Session.objects.get()
    assert look_up(key) == Visitor(user, key)
    # Django would renew the session here, and its key.
    after = Session.objects.get()
    assert (after.session_key, after.session_data) == (key, before.session_data)


def test_a_visitor_is_shown_without_the_session_key() -> None:
    assert "secret" not in repr(Visitor(None, "secret"))
