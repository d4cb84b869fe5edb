from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from project.demo.models import BreakingNews
from sse_components import ReactiveComponent, public
from sse_components.components import rendering
from sse_components.components.page import page_of
from sse_components.testing import render_component
from tests.components.pages import component, page, request_for, root, roots
from tests.servers import ROOT

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


class Filed(ReactiveComponent):
    template_name = "demo/ticker.html"
    headline = public("new")


class Inline(ReactiveComponent):
    template = "<p>{{ headline }}</p>"
    headline = public("new")


@pytest.mark.parametrize("kind", [Filed, Inline])
def test_a_component_is_rendered_by_an_engine_of_djangos_whatever_others_there_are(
    settings: Settings, kind: type[ReactiveComponent]
) -> None:
    other = {"BACKEND": "django.template.backends.dummy.TemplateStrings"}
    folder = ROOT / "project" / "demo" / "templates"
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [
        {**other, "NAME": "other", "DIRS": [folder]},
        {**engine, "NAME": "pages"},
    ]
    assert "new" in render_component(kind).text


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
        ('<div>{% include "demo/ticker.html" %}</div>', "headline"),
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


@pytest.mark.django_db
def test_a_template_may_be_a_file() -> None:
    assert component("demo.NewsTicker")["data-sse-rendered"] == "headline"


def test_a_component_without_a_template_says_so() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"tests\.Rooted has neither"):
        component("tests.Rooted")


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


class Seen(ReactiveComponent):
    """What its class has is seen by name as what is set on it is."""

    step = 1
    LIMIT = 7
    _hidden = "hidden"
    title = public("")
    saved = 0
    template = (
        "<p>{{ step }}|{{ LIMIT }}|{{ total }}|{{ rows }}|{{ hello }}|{{ kind }}|"
        "{{ save }}|{{ component.save }}|{{ clear }}|{{ component.clear }}|"
        "{{ load }}|{{ public_methods }}|{{ mro }}|{{ missing }}|{{ saved }}</p>"
    )

    @property
    def total(self) -> int:
        return self.step + 8

    @cached_property
    def rows(self) -> str:
        return "rows"

    def hello(self) -> str:
        return "hello"

    @classmethod
    def kind(cls) -> str:
        return cls.__name__

    @public
    def save(self) -> str:
        self.saved += 1
        return "saved"

    @public(update=False)
    def clear(self) -> str:
        return "cleared"


class SeenToo(Seen):
    LIMIT = 8


@pytest.mark.parametrize(("name", "limit"), [("Seen", 7), ("SeenToo", 8)])
def test_a_template_sees_what_the_class_has_and_calls_no_public_method(
    name: str, limit: int
) -> None:
    text = page(f'{{% component "tests.{name}" %}}').partition(">")[2]
    assert text == f"1|{limit}|9|rows|hello|{name}|||||||||0</p>"


class Looks(ReactiveComponent):
    _hidden = "hidden"
    shown = "shown"
    template = "<p>{{ component.look|join:',' }}</p>"

    def look(self) -> list[str]:
        names = rendering.enclosing.get()
        assert names is not None
        return [name for name in ("_hidden", "shown", "__doc__") if name in names]


def test_what_begins_with_an_underscore_is_no_name_of_a_template() -> None:
    assert page('{% component "tests.Looks" %}').endswith(">shown</p>")
    assert rendering.enclosing.get() is None


class Hides(ReactiveComponent):
    csrf_token = "of the class"
    template = "<p>{{ csrf_token }}</p>"


def test_what_the_class_has_is_seen_over_the_context() -> None:
    assert page('{% component "tests.Hides" %}').endswith(">of the class</p>")


# What the page is told of its methods


class Told(ReactiveComponent):
    title = public("")
    done = public(False)
    template = "<p></p>"

    @public
    def save(self) -> None: ...

    @public.debounce(300)
    def search(self) -> None: ...

    @public(update=False).throttle(100).listen("shop:sale", "shop:end")
    def follow(self, detail: object) -> None: ...

    @public.listen("shop:sale")
    def count(self, detail: object) -> None: ...

    @public.watch("title", "done")
    def rename(self, value: object) -> None: ...

    @public.watch("title").debounce(50)
    def note(self, value: object, old: object, name: str) -> None: ...


class ToldMore(Told):
    @public.listen("shop:sale")
    def also(self, detail: object) -> None: ...


# A33
def test_a_root_tells_which_methods_an_event_calls() -> None:
    found = component("tests.Told")
    assert json.loads(found["data-sse-listen"]) == {
        "shop:sale": ["follow", "count"],
        "shop:end": ["follow"],
    }
    more = json.loads(component("tests.ToldMore")["data-sse-listen"])
    assert more["shop:sale"] == ["follow", "count", "also"]
    assert json.loads(component("tests.Escaping")["data-sse-listen"]) == {}


def test_a_root_tells_how_often_each_method_may_be_called() -> None:
    assert json.loads(component("tests.Told")["data-sse-methods"]) == {
        "save": {},
        "search": {"debounce": 300},
        "follow": {"throttle": 100},
        "count": {},
        "rename": {},
        "note": {"debounce": 50},
    }
    assert json.loads(component("tests.Escaping")["data-sse-methods"]) == {}


# A51
def test_a_root_tells_which_methods_watch_what_and_what_they_take() -> None:
    assert json.loads(component("tests.Told")["data-sse-watch"]) == {
        "title": {"rename": 1, "note": 3},
        "done": {"rename": 1},
    }
    assert "data-sse-watch" not in component("tests.Escaping")


# A27
def test_the_name_of_an_event_cannot_leave_its_attribute() -> None:
    html = page('{% component "tests.ListensHostile" %}')
    assert "<script>" not in html
    assert json.loads(root(html)["data-sse-listen"]) == {HOSTILE: ["hear"]}


class ListensHostile(ReactiveComponent):
    template = "<p></p>"

    @public.listen(HOSTILE)
    def hear(self, detail: object) -> None: ...


# Whoever looks at it


# A35
@pytest.mark.django_db
def test_a_component_has_the_same_id_in_every_browser(client: Client) -> None:
    row = BreakingNews.objects.create(title="a")
    template = '{% component "tests.Names" %}{% component "tests.Inner" row %}'
    visitors = [request_for(), request_for(user=User(pk=7)), request_for("/b")]
    visitors[2].session = client.session
    found = [
        [one["data-sse-id"] for one in roots(page(template, request, row=row))]
        for request in visitors
    ]
    assert found == 3 * [["tests.Names", f"tests.Inner:{row.pk}"]]


def test_dates_and_the_like_are_json_on_the_root() -> None:
    props = json.loads(component("tests.Dated")["data-sse-props"])
    assert props == {"day": "2026-11-22", "price": "1.50", "tags": ["a"]}


class Dated(ReactiveComponent):
    day = public(date(2026, 11, 22))
    price = public(Decimal("1.50"))
    tags = public({"a"})
    template = "<p></p>"


def test_a_template_that_stands_in_a_class_is_parsed_once() -> None:
    rendering._parsed.cache_clear()
    page(3 * '{% component "tests.Escaping" %}')
    assert rendering._parsed.cache_info().misses == 1


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
