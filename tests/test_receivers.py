from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import alogout, logout
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory
from django.urls import include, path
from django.utils import timezone
from pytest_django import Settings

from sse_components import revoking
from sse_components.events import hashed
from sse_components.grants import COOKIE, fingerprint
from sse_components.middleware import SSEComponentsMiddleware

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse()


def log_out_twice(request: HttpRequest) -> HttpResponse:
    log_out(request)
    return log_out(request)


def log_out_inside(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        return log_out(request)


def log_out_and_fail(request: HttpRequest) -> HttpResponse:
    log_out(request)
    raise LookupError("a bug in a view")


async def alog_out(request: HttpRequest) -> HttpResponse:
    await alogout(request)
    return HttpResponse()


urlpatterns = [
    path("", include("sse_components.urls")),
    path("logout/", log_out),
    path("twice/", log_out_twice),
    path("inside/", log_out_inside),
    path("fails/", log_out_and_fail),
    path("alogout/", alog_out),
]


@pytest.fixture(autouse=True)
def revoked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is revoked, in order."""
    subjects: list[str] = []
    monkeypatch.setattr(
        revoking,
        "_revoke_or_owe",
        lambda *several: subjects.extend(subject for subject, _, _ in several),
    )
    yield subjects


@pytest.fixture
def user(revoked: list[str]) -> User:
    user = User.objects.create_user("anna", password="before")
    assert revoked == []
    return user


# A23
@pytest.mark.parametrize("fields", [None, ["password"], ["password", "email"]])
def test_another_password(
    user: User, revoked: list[str], fields: list[str] | None
) -> None:
    user.set_password("after")
    user.save(update_fields=fields)
    assert revoked == [f"user:{user.pk}"]
    user.save(update_fields=fields)
    assert revoked == [f"user:{user.pk}"]


# A23
def test_a_user_who_is_not_active_any_more(user: User, revoked: list[str]) -> None:
    user.is_active = False
    user.save()
    assert revoked == [f"user:{user.pk}"]
    user.is_active = True
    user.save()
    assert revoked == [f"user:{user.pk}"]


def test_a_user_who_is_no_staff_any_more(user: User, revoked: list[str]) -> None:
    user.is_staff = True
    user.save()
    assert revoked == []
    user.is_staff = False
    user.save(update_fields=["is_staff"])
    assert revoked == [f"user:{user.pk}"]


def test_a_proxy_of_users_counts(user: User, revoked: list[str]) -> None:
    class Proxy(User):
        class Meta:
            proxy = True
            app_label = "auth"

    proxy = Proxy.objects.get(pk=user.pk)
    proxy.is_active = False
    proxy.save()
    assert revoked == [f"user:{user.pk}"]


def test_what_takes_no_right_away(user: User, revoked: list[str]) -> None:
    user.email = "anna@example.com"
    user.save()
    user.set_password("after")
    user.is_active = False
    user.save(update_fields=["email"])
    found = User.objects.only("email").get(pk=user.pk)
    found.save()
    Session(session_key="x", expire_date=timezone.now()).save()
    assert revoked == []


def test_what_is_rolled_back_takes_nothing_away(user: User, revoked: list[str]) -> None:
    with transaction.atomic():
        user.is_active = False
        user.save()
        transaction.set_rollback(True)
    assert revoked == []


# A renewal between the two would still find the user active.
def test_a_right_is_gone_before_it_is_revoked(user: User, revoked: list[str]) -> None:
    with transaction.atomic():
        user.is_active = False
        user.save()
        assert revoked == []
    assert revoked == [f"user:{user.pk}"]


def test_a_user_that_is_made_up_to_be_saved_counts(
    user: User, revoked: list[str]
) -> None:
    User(pk=user.pk, username="anna", password=user.password, is_active=False).save()
    assert revoked == [f"user:{user.pk}"]


def test_a_user_who_is_deleted(user: User, revoked: list[str]) -> None:
    pk = user.pk
    user.delete()
    assert revoked == [f"user:{pk}"]


# A23
def test_the_row_of_a_session_is_deleted(revoked: list[str]) -> None:
    session = SessionStore()
    session.create()
    key = session.session_key
    assert key
    Session.objects.filter(pk=key).delete()
    assert revoked == [f"session:{hashed(key)}"]
    assert key not in str(revoked)


def test_clearing_old_sessions_revokes_nothing(revoked: list[str]) -> None:
    past = timezone.now() - timedelta(days=1)
    Session(session_key="x", session_data="", expire_date=past).save()
    call_command("clearsessions")
    assert not Session.objects.exists()
    assert revoked == []


# A23
def test_a_logout_revokes_the_browser_when_the_session_is_gone(
    client: Client, user: User, revoked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(user)
    key = client.session.session_key
    assert key
    client.cookies[COOKIE] = "of-this-browser"
    revoked.clear()  # of the login, which has changed the session's key
    alive: list[bool] = []
    revoke_browser = revoking.revoke_browser

    def revoke(fingerprint: str) -> None:
        alive.append(Session.objects.filter(pk=key).exists())
        revoke_browser(fingerprint)

    monkeypatch.setattr(revoking, "revoke_browser", revoke)
    response = client.get("/logout/")
    browser = f"browser:{fingerprint('of-this-browser')}"
    assert set(revoked) == {browser, f"session:{hashed(key)}"}
    assert alive == [False]
    cookie = response.cookies[COOKIE]
    assert cookie.value == ""
    assert cookie["max-age"] == 0


def test_who_has_no_cookie_is_given_none_at_a_logout(client: Client) -> None:
    assert COOKIE not in client.get("/logout/").cookies


# Somebody who isn't logged in posts to the logout, again and again.
def test_who_is_not_logged_in_revokes_nothing_by_logging_out(
    client: Client, revoked: list[str]
) -> None:
    client.cookies[COOKIE] = "of-this-browser"
    response = client.get("/logout/")
    assert revoked == []
    assert COOKIE not in response.cookies


# A23
@pytest.mark.parametrize(
    "address", ["/logout/", "/twice/", "/inside/", "/alogout/", "/fails/"]
)
def test_a_logout_revokes_each_once_however_its_view_ends(
    client: Client, user: User, revoked: list[str], address: str
) -> None:
    subjects = logged_in(client, user, revoked)
    client.raise_request_exception = False
    client.get(address)
    assert sorted(revoked) == subjects


# The row is deleted, and revoked; a renewal finds the copy in the cache; it is deleted.
def test_a_session_with_a_copy_in_the_cache_is_revoked_when_that_is_gone_too(
    client: Client, user: User, revoked: list[str], settings: Settings
) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
    browser, session = logged_in(client, user, revoked)
    client.get("/logout/")
    assert revoked == [session, browser, session]


# View: logs out, and waits. Server: the browser has gone, so the view is cancelled.
async def test_a_logout_whose_view_is_cancelled_revokes(
    client: Client, user: User, revoked: list[str]
) -> None:
    subjects = await sync_to_async(logged_in)(client, user, revoked)
    has_logged_out, has_ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def auser() -> User:
        return user

    async def view(request: HttpRequest) -> HttpResponse:
        await alogout(request)
        has_logged_out.set()
        await asyncio.Event().wait()
        raise AssertionError("It waits for ever")

    def serve() -> HttpResponseBase:
        request = RequestFactory().get("/")
        request.COOKIES[COOKIE] = "of-this-browser"
        request.auser = auser
        request.session = client.session
        try:
            return SSEComponentsMiddleware(async_to_sync(view))(request)
        finally:
            loop.call_soon_threadsafe(has_ended.set)

    serving = asyncio.create_task(sync_to_async(serve)())
    await has_logged_out.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await has_ended.wait()  # nobody waits for the thread
    assert sorted(revoked) == subjects


def logged_in(client: Client, user: User, revoked: list[str]) -> list[str]:
    """Return what a logout revokes."""
    client.force_login(user)
    client.cookies[COOKIE] = "of-this-browser"
    revoked.clear()  # of the login, which has changed the session's key
    browser = fingerprint("of-this-browser")
    return [f"browser:{browser}", f"session:{hashed(str(client.session.session_key))}"]
