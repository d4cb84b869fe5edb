from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse_lazy
from pytest_django import Settings

from sse_components import ReactiveComponent, public
from sse_components.components.base import Client as Actions
from sse_components.grants import COOKIE
from tests.components.pages import Answer, call, component, page, root

COUNTS = "tests.Counts"
HEADERS = {"X-SSE-Tab": "tab1", "X-SSE-Request": "7"}
AWAY = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1",
    }
}


class Counts(ReactiveComponent):
    template = "<p></p>"

    @public
    def count(self) -> None: ...


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    yield
    cache.clear()


def count(client: Client, state: str) -> Answer:
    return call(client, COUNTS, "count", state=state, headers=HEADERS)


@pytest.fixture
def state() -> str:
    return component(COUNTS)["data-sse-state"]


# What was run before


def test_a_call_that_is_sent_again_is_refused(client: Client, state: str) -> None:
    assert count(client, state).status == 200
    again = count(client, state)
    assert (again.status, again.code) == (409, "repeated")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["user", "session", "cookie", "token"])
def test_nobody_else_can_have_a_call_refused(state: str, kind: str) -> None:
    first, second = browser(kind, "anna"), browser(kind, "otto")
    assert count(first, state).status == 200
    assert count(second, state).status == 200
    assert count(second, state).code == "repeated"


def browser(kind: str, name: str) -> Client:
    """Return one whose visitor is known by one thing only."""
    client = Client()
    if kind == "user":
        client.force_login(User.objects.create_user(name))
    elif kind == "session":
        session = client.session
        session["name"] = name
        session.save()
    elif kind == "cookie":
        client.cookies[COOKIE] = name
    else:
        client.cookies["csrftoken"] = 8 * name
    return client


def test_a_call_of_another_component_is_another_one(client: Client) -> None:
    for key in ("a", "b"):
        html = page(f'{{% component "{COUNTS}" key="{key}" %}}')
        assert count(client, root(html)["data-sse-state"]).status == 200


def test_without_a_cache_a_call_is_run_and_that_is_told(
    client: Client, state: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CACHES = AWAY
    for _ in range(2):
        assert count(client, state).status == 200
    assert "A call may be run twice" in caplog.text


# Where a page may be sent


@pytest.mark.parametrize(
    "address",
    [
        "/next",
        "next?page=2#top",
        "",
        "//other.example/",
        "https://other.example/:x",
        "HTTP://other.example/",
        "/a:b",
        reverse_lazy("sse_components:call", args=["a.B", "c"]),
    ],
)
def test_a_page_may_be_sent_to_another_one(address: str) -> None:
    client = Actions()
    client.redirect(address)
    assert client.actions == [("redirect", str(address))]


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "blob:x",
        "mailto:anna@example.com",
        None,
        7,
    ],
)
def test_a_page_is_sent_nowhere_else(address: str) -> None:
    client = Actions()
    with pytest.raises(ValueError, match="is not the address of a page"):
        client.redirect(address)
    assert client.actions == []
