from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from pytest_django import Settings

from sse_components import ReactiveComponent, public, runtime
from sse_components.components.page import page_of
from sse_components.errors import InvalidGroup
from sse_components.events import hashed
from tests.components.pages import call, component, page, request_for, root, roots

HOSTILE = '"><script>alert(1)</script>'


class Subscribing(ReactiveComponent):
    template = "<p></p>"

    def load(self, names: str | Sequence[str] | None = None) -> None:
        self.names = names

    def get_subscription(self) -> str | Sequence[str] | None:
        return self.names


def groups(names: object, user: Any = None) -> Any:
    request = request_for(user=user)
    html = page('{% component "tests.Subscribing" names %}', request, names=names)
    return json.loads(root(html)["data-sse-groups"])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (None, []),
        ([], []),
        ("", []),
        ("news.a", ["news.a"]),
        (["news.a", "news.b", "news.a"], ["news.a", "news.b"]),
        ("demo.todo.*", ["demo.todo.*"]),
        ("broadcast", ["broadcast"]),
        ("users", ["users"]),
        ("session", []),
        ("user", []),
    ],
)
def test_a_subscription_is_a_name_or_several(names: object, found: list[str]) -> None:
    assert groups(names) == found


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("news.b", ["news.b"]),
        (["news.b", "news.c"], ["news.b", "news.c"]),
        (("news.b", "news.b"), ["news.b"]),
        ("", ["news.a"]),
        ([], ["news.a"]),
        (None, ["news.a"]),
    ],
)
def test_the_tag_may_give_another_subscription(
    client: Client, names: object, found: list[str]
) -> None:
    template = '{% component "tests.Subscribing" "news.a" subscribe=names %}'
    shown = root(page(template, names=names))
    assert json.loads(shown["data-sse-groups"]) == found
    answer = call(client, "tests.Subscribing", state=shown["data-sse-state"])
    assert json.loads(root(answer.html)["data-sse-groups"]) == found
    assert runtime.grants().read(answer.json["grant"]).groups == tuple(found)


def test_several_names_in_one_text_are_no_subscription() -> None:
    with pytest.raises(InvalidGroup, match=r"tests\.Subscribing can't subscribe to"):
        page('{% component "tests.Subscribing" subscribe="news.a news.b" %}')


def test_users_is_nothing_for_a_page_of_nobody() -> None:
    request = request_for()
    page('{% component "tests.Subscribing" "users" %}', request)
    assert runtime.grants().read(page_of(request).grant()).groups == ()


def test_a_page_is_granted_the_rows_that_it_shows_and_no_others() -> None:
    request = request_for()
    names = ["demo.todo.1", "demo.todo.2"]
    page('{% component "tests.Subscribing" names %}', request, names=names)
    assert runtime.grants().read(page_of(request).grant()).groups == tuple(names)


# A27
@pytest.mark.parametrize(
    "name",
    [
        HOSTILE,
        "a b",
        "a..b",
        "*",
        "a.**",
        201 * "x",
        "ä",
        5,
        "session.abc",
        "session.h-aaaaaaaaaaaaaaaaaaaaaa",
        "session.*",
        "users.all",
        "presence.users",
        "presence",
        "auth.user.7",
        "auth.user.7.notifications",
        "auth.user.*",
    ],
)
@pytest.mark.parametrize("user", [None, AnonymousUser(), User(pk=8)])
def test_a_name_that_is_no_group_or_is_reserved_is_refused(
    name: object, user: Any
) -> None:
    with pytest.raises(InvalidGroup):
        groups([name], user)
    assert HOSTILE not in page("{{ name }}", name=HOSTILE)


def test_user_stands_for_the_visitors_own_group() -> None:
    user = User(pk=7)
    assert groups("user", user) == ["auth.user.7"]
    assert groups(["user", "session"], AnonymousUser()) == []


def test_a_user_may_have_groups_below_their_own() -> None:
    request = request_for(user=User(pk=7))
    names = ["auth.user.7", "auth.user.7.notifications"]
    page('{% component "tests.Subscribing" names %}', request, names=names)
    assert page_of(request).groups == set(names)


# A16
# A22
@pytest.mark.django_db
def test_session_stands_for_the_visitors_own_group_without_its_key(
    client: Client,
) -> None:
    session = client.session
    session["cart"] = [1]
    session.save()
    key = session.session_key
    assert key
    for given in ["session", f"session.{key}"]:
        request = request_for()
        request.session = session
        html = page('{% component "tests.Subscribing" name %}', request, name=given)
        found = root(html)
        assert json.loads(found["data-sse-groups"]) == [f"session.{hashed(key)}"]
        if given == "session":
            assert key not in html
        assert key not in found["data-sse-groups"]


# A22
@pytest.mark.django_db
def test_a_refused_name_does_not_tell_a_session_key() -> None:
    with pytest.raises(InvalidGroup) as caught:
        groups("session.0123456789abcdefghijklmnopqrstuv")
    assert "0123456789abcdefghijklmnopqrstuv" not in str(caught.value)


def test_a_session_that_is_gone_is_none(db: None, client: Client) -> None:
    request = request_for()
    request.session = type(client.session)("x" * 32)
    html = page('{% component "tests.Subscribing" "session" %}', request)
    assert json.loads(root(html)["data-sse-groups"]) == []
    assert not page_of(request).is_personal


# Covering


class Lists(ReactiveComponent):
    """A list whose items have groups of their own."""

    subscription = "demo.todo"
    covers: str | Sequence[str] | None = "demo.todo.*"
    template = (
        "{% load sse_components %}<ul>{% for n in numbers %}"
        '{% component "tests.Item" n key=n %}{% endfor %}</ul>'
    )

    def load(self, count: int = 2) -> None:
        self.numbers = range(count)


class Item(ReactiveComponent):
    template = "<li>{{ number }}</li>"

    def load(self, number: int) -> None:
        self.number = number

    def get_subscription(self) -> str:
        return f"demo.todo.{self.number}"


class ListsByOwner(Lists):
    owner = public("7")

    def get_covers(self) -> list[str]:
        return [f"user.{self.owner}.todo.*", "demo.todo.*", "demo.todo.*"]

    @public
    def choose(self, owner: str) -> None:
        self.owner = owner


# A61
def test_a_list_covers_its_items_and_does_not_listen_to_them() -> None:
    request = request_for()
    found = roots(page('{% component "tests.Lists" %}', request))
    assert json.loads(found[0]["data-sse-groups"]) == ["demo.todo"]
    assert json.loads(found[0]["data-sse-covers"]) == ["demo.todo.*"]
    assert json.loads(found[1]["data-sse-groups"]) == ["demo.todo.0"]
    assert "data-sse-covers" not in found[1]
    assert page_of(request).groups == {
        "demo.todo", "demo.todo.*", "demo.todo.0", "demo.todo.1"
    }  # fmt: skip


def test_what_is_covered_may_depend_on_the_component() -> None:
    found = component("tests.ListsByOwner")
    assert json.loads(found["data-sse-covers"]) == ["user.7.todo.*", "demo.todo.*"]


# A61
def test_a_list_of_a_thousand_items_is_two_names(client: Client) -> None:
    request = request_for()
    html = page('{% component "tests.Lists" 1000 %}', request)
    assert len(roots(html)) == 1001
    text = page_of(request).grant()
    assert runtime.grants().read(text).groups == ("demo.todo", "demo.todo.*")
    assert len(text) < 250
    state = roots(html)[0]["data-sse-state"]
    answer = call(client, "tests.Lists", state=state)
    assert len(roots(answer.html)) == 1001
    assert len(answer.json["grant"]) < 250


# A27
@pytest.mark.parametrize(
    "pattern",
    [
        HOSTILE,
        "demo.todo",
        "demo.todo.7",
        "*",
        "demo.*.todo",
        "demo.**",
        "session",
        "user",
        "session.*",
        "presence.*",
        "auth.user.*",
        "auth.user.8.*",
        5,
    ],
)
def test_what_is_no_pattern_or_is_reserved_covers_nothing(
    monkeypatch: pytest.MonkeyPatch, pattern: object
) -> None:
    monkeypatch.setattr(Lists, "covers", [pattern])
    with pytest.raises(InvalidGroup, match=r"tests\.Lists can't cover"):
        component("tests.Lists", request_for(user=User(pk=7)))


def _authorize(user: object, group: str, rendered: bool) -> bool:
    return rendered and "secret" not in group


# A56
@pytest.mark.parametrize(
    "body", [{"args": ["secret"]}, {"props": {"owner": "8"}, "args": ["7"]}]
)
def test_a_pattern_made_of_a_pages_value_is_asked_for_by_name(
    client: Client, settings: Settings, body: dict[str, Any]
) -> None:
    settings.SSE_COMPONENTS = {"AUTHORIZE": _authorize}
    answer = call(client, "tests.ListsByOwner", "choose", **body)
    groups = runtime.grants().read(answer.json["grant"]).groups
    assert groups == ("demo.todo", "demo.todo.0", "demo.todo.1")


def test_a_pattern_that_authorize_refuses_is_not_granted(settings: Settings) -> None:
    settings.SSE_COMPONENTS = {
        "AUTHORIZE": lambda user, group, rendered: not group.endswith("*")
    }
    request = request_for()
    page('{% component "tests.Lists" %}', request)
    assert runtime.grants().read(page_of(request).grant()).groups == (
        "demo.todo", "demo.todo.0", "demo.todo.1"
    )  # fmt: skip


@pytest.mark.alone
def test_many_items_take_no_longer_each_than_few() -> None:
    def took(count: int) -> float:
        request = request_for()
        start = time.process_time()
        page('{% component "tests.Lists" count %}', request, count=count)
        page_of(request).grant()
        return time.process_time() - start

    took(10)
    few = min(took(250) for _ in range(3))
    many = min(took(2000) for _ in range(3))
    assert many < 2 * 8 * few
