from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from project.demo.models import BreakingNews
from sse_components import ReactiveComponent, public
from sse_components.components.page import page_of
from sse_components.errors import InvalidGroup
from sse_components.events import hashed
from tests.components.pages import component, page, request_for, root, roots

HOSTILE = '"><script>alert(1)</script>'


class NewsTicker(ReactiveComponent):
    headline = public("")
    # this component always subscribes to one channel: "news.updates"
    subscription = "news.updates"
    template = "<p>{{ headline }}</p>"

    def load(self, *args: Any, **kwargs: Any) -> None:
        # Fetch the latest news headline from database
        news = BreakingNews.objects.order_by("?").first()
        if news:
            self.headline = news.title


# A17
@pytest.mark.django_db
def test_the_news_ticker_of_the_brief_is_rendered() -> None:
    BreakingNews.objects.create(title="Only <one>")
    html = page('{% component "tests.NewsTicker" %}')
    found = root(html)
    assert html.endswith(">Only &lt;one&gt;</p>")
    assert found["data-sse-component"] == "tests.NewsTicker"
    assert found["data-sse-id"] == "tests.NewsTicker"
    assert found["data-sse-groups"] == '["news.updates"]'
    assert found["data-sse-rendered"] == "headline"
    assert json.loads(found["data-sse-props"]) == {"headline": "Only <one>"}


# A17
@pytest.mark.django_db
def test_a_page_is_granted_what_its_components_subscribe_to() -> None:
    request = request_for()
    component("tests.NewsTicker", request)
    assert page_of(request).groups == {"news.updates"}


# What was read


class Reading(ReactiveComponent):
    headline = public("")
    other = public("x")
    items = public(["a"])
    plain = "not public"

    def load(self) -> None:
        self.headline = self.other  # reading here is not rendering

    def get_subscription(self) -> str:
        return f"news.{self.other}"

    def shout(self) -> str:
        return self.headline.upper()


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("<p></p>", ""),
        ("<p>{{ headline }}</p>", "headline"),
        ("<p>{{ component.headline }}</p>", "headline"),
        ("<p>{{ headline|upper }}{{ other }}</p>", "headline other"),
        ("<p>{% if headline %}a{% endif %}</p>", "headline"),
        ("<p>{% if not headline and other %}a{% endif %}</p>", "headline"),
        ("<p>{% for item in items %}{{ item }}{% endfor %}</p>", "items"),
        ("<p>{% with h=headline %}{{ h }}{% endwith %}</p>", "headline"),
        ("<p>{{ 'a'|add:headline }}</p>", "headline"),
        ("<p>{% firstof headline other %}</p>", "headline"),
        ("<p>{{ component.shout }}</p>", "headline"),
        ('<p>{% include "demo/ticker.html" %}</p>', "headline"),
        ('{% extends "demo/ticker.html" %}', "headline"),
        ('<p x-text="headline"></p>', ""),
        ('<p :title="headline" x-show="other"></p>', ""),
        ("{% load sse_components %}<p>{% live headline %}</p>", ""),
        (
            "{% load sse_components %}<p>{% live headline %}{{ headline }}</p>",
            "headline",
        ),
        ("{% load sse_components %}<p>{{ headline }}{% live other %}</p>", "headline"),
        ("<p>{# {{ headline }} #}</p>", ""),
        ("<p>{% verbatim %}{{ headline }}{% endverbatim %}</p>", ""),
        ("<p>{% if False %}{{ headline }}{% endif %}</p>", ""),
        ("<p>{{ plain }}{{ missing }}{{ request.path }}</p>", ""),
    ],
)
def test_the_properties_that_the_template_reads_are_named_on_the_root(
    monkeypatch: pytest.MonkeyPatch, template: str, rendered: str
) -> None:
    monkeypatch.setattr(Reading, "template", template)
    assert component("tests.Reading")["data-sse-rendered"] == rendered


class Outer(ReactiveComponent):
    title = public("outer")
    passed = public("a")
    template = (
        "{% load sse_components %}"
        '<ul><li>{% component "tests.Inner" passed %}</li></ul>'
    )


class Inner(ReactiveComponent):
    title = public("inner")
    subscription = "news.inner"
    template = "<b>{{ title }}{{ passed }}</b>"

    def load(self, text: str) -> None:
        self.title = text


def test_what_a_child_reads_is_its_own_and_what_it_is_passed_its_parents() -> None:
    request = request_for()
    outer, inner = roots(page('{% component "tests.Outer" %}', request))
    assert outer["data-sse-rendered"] == "passed"
    assert inner["data-sse-rendered"] == "title"
    assert json.loads(inner["data-sse-props"]) == {"title": "a"}
    assert page_of(request).groups == {"news.inner"}


# The root


class Rooted(ReactiveComponent):
    shown = public(True)


@pytest.mark.parametrize(
    "template",
    [
        "<input>",
        "<br/>",
        "\n<!-- before --><p>a</p><!-- after -->\n",
        "{% if shown %}<p>a</p>{% else %}<b>c</b>{% endif %}",
        "{# a comment #}{% load sse_components %}<p>a</p>",
        "<script>'</p><p>'</script>",
    ],
)
def test_one_element_is_a_root_however_it_came_about(
    monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    monkeypatch.setattr(Rooted, "template", template)
    assert component("tests.Rooted")["data-sse-component"] == "tests.Rooted"


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("<p>a</p><p>b</p>", "a second element"),
        ("<p>a</p> text", "text stands beside"),
        ("{% if not shown %}<p>a</p>{% endif %}", "no element"),
        ('<p x-data="{}">a</p>', "an attribute of ours: x-data"),
    ],
)
def test_a_template_without_one_root_is_an_error_that_names_the_component(
    monkeypatch: pytest.MonkeyPatch, template: str, fault: str
) -> None:
    monkeypatch.setattr(Rooted, "template", template)
    with pytest.raises(ImproperlyConfigured, match=rf"tests\.Rooted .*{fault}"):
        component("tests.Rooted")


def test_a_component_without_a_template_says_so() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"tests\.Rooted has neither"):
        component("tests.Rooted")


# Keys


class Keyed(ReactiveComponent):
    template = "<p></p>"

    def load(self, row: object = None, *, other: object = None) -> None: ...


def keys(template: str, **context: Any) -> list[tuple[str, str]]:
    found = roots(page(template, **context))
    return [(one["data-sse-id"], one["data-sse-key"]) for one in found]


def test_later_ones_without_a_key_are_numbered() -> None:
    assert keys(3 * '{% component "tests.Keyed" %}') == [
        ("tests.Keyed", ""),
        ("tests.Keyed:2", "2"),
        ("tests.Keyed:3", "3"),
    ]


@pytest.mark.django_db
def test_the_key_of_a_model_is_its_primary_key() -> None:
    row = BreakingNews.objects.create(title="a")
    id = f"tests.Keyed:{row.pk}", str(row.pk)
    assert keys('{% component "tests.Keyed" row %}', row=row) == [id]
    assert keys('{% component "tests.Keyed" 5 other=row %}', row=row) == [id]


@pytest.mark.django_db
def test_an_explicit_key_wins_over_a_model() -> None:
    row = BreakingNews.objects.create(title="a")
    assert keys('{% component "tests.Keyed" row key="x_-1" %}', row=row) == [
        ("tests.Keyed:x_-1", "x_-1")
    ]


def test_those_with_a_key_are_not_counted() -> None:
    given = '{% component "tests.Keyed" key=5 %}{% component "tests.Keyed" %}'
    assert keys(given) == [("tests.Keyed:5", "5"), ("tests.Keyed", "")]


# A27
@pytest.mark.parametrize("key", [HOSTILE, "a.b", "ä", "", "x y", 101 * "x", 300 * "x"])
def test_a_key_that_is_no_segment_is_hashed(key: str) -> None:
    html = page('{% component "tests.Keyed" key=key %}', key=key)
    assert root(html)["data-sse-key"] == hashed(key)
    assert HOSTILE not in html


def test_a_key_of_100_characters_stays() -> None:
    assert keys('{% component "tests.Keyed" key=key %}', key=100 * "x") == [
        (f"tests.Keyed:{100 * 'x'}", 100 * "x")
    ]


# Groups


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


def test_the_tag_may_give_another_subscription() -> None:
    html = page('{% component "tests.Subscribing" "news.a" subscribe="news.b" %}')
    assert json.loads(root(html)["data-sse-groups"]) == ["news.b"]


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


# Escaping


class Escaping(ReactiveComponent):
    text = public(HOSTILE)
    template = "<p title='{{ text }}'>{{ text }}</p>"


# A27
def test_what_a_component_says_cannot_leave_its_attribute() -> None:
    html = page('{% component "tests.Escaping" %}')
    assert "<script>" not in html
    assert html.count("<") == 2
    assert json.loads(root(html)["data-sse-props"]) == {"text": HOSTILE}


class Names(ReactiveComponent):
    user = public("of the component")
    _private = "hidden"
    template = (
        "<p>{{ user }}|{{ loaded }}|{{ component.user }}|{{ request.path }}|"
        "{{ outside }}|{{ csrf_token|length }}</p>"
    )

    def load(self) -> None:
        self.loaded = "loaded"


def test_a_template_sees_the_component_over_the_context_and_nothing_of_its_page() -> (
    None
):
    html = page('{% component "tests.Names" %}', request_for("/a"), outside="outside")
    text = html.partition(">")[2]
    assert text == "of the component|loaded|of the component|/a||64</p>"


def test_a_root_has_what_the_protocol_says() -> None:
    found = component("tests.Escaping", request_for())
    assert list(found) == [
        "data-sse-component", "data-sse-id", "data-sse-key", "data-sse-groups",
        "data-sse-rendered", "data-sse-props", "data-sse-listen", "data-sse-methods",
        "data-sse-state", "data-sse-position", "key", "x-data", "title",
    ]  # fmt: skip
    assert found["x-data"] == "sse"
    assert found["key"] == found["data-sse-id"]
    assert found["data-sse-position"] == "0:0"
