from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.template import Context, Template, TemplateSyntaxError, engines
from pytest_django import Settings

from sse_components import ReactiveComponent, public
from sse_components.components.page import page_of
from sse_components.components.registry import UnknownComponent
from tests.components.pages import page, request_for, root, roots


class Tagged(ReactiveComponent):
    title = public("default")
    count = public(0)
    hidden = "not public"
    template = "<p>{{ title }}</p>"

    def load(self, title: str = "loaded", *, count: int = 0) -> None:
        self.title = title
        self.count = count


def text(template: str, **context: Any) -> str:
    """Return what stands in the first component's root."""
    return page(template, **context).partition(">")[2].rpartition("<")[0]


def test_a_component_is_rendered_with_the_arguments_of_the_tag() -> None:
    assert text('{% component "tests.Tagged" %}') == "loaded"
    assert text('{% component "tests.Tagged" "given" count=3 %}') == "given"
    assert text('{% component "tests.Tagged" title=x %}', x="by name") == "by name"
    assert text("{% component which %}", which="tests.Tagged") == "loaded"


class Field(ReactiveComponent):
    template = "<p>{{ shown }}</p>"

    def load(self, **kwargs: object) -> None:
        self.shown = sorted(kwargs.items())


def test_all_but_key_and_subscribe_is_for_load() -> None:
    tag = 'name="title" context=1 parser=2 self=3 key="k" subscribe="news.a"'
    names = [("context", 1), ("name", "title"), ("parser", 2)]
    template = f'{{% component "tests.Field" {tag.replace("self=3 ", "")} %}}'
    html = page("{% autoescape off %}" + template + "{% endautoescape %}")
    assert root(html)["data-sse-id"] == "tests.Field:k"
    assert unescape(html).endswith(f">{names}</p>")


@pytest.mark.parametrize(
    "tag",
    [
        "component",
        'component as "x"',
        'component key="x"',
        'component "tests.Tagged" title=1 title=2',
        'component "tests.Tagged" title=1 2',
        'component "tests.Tagged" "a" b c="d',
    ],
)
def test_a_tag_that_says_nothing_or_too_much_is_an_error(tag: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        engines["django"].from_string(f"{{% load sse_components %}}{{% {tag} %}}")


@pytest.mark.parametrize(
    "template",
    [
        '{% include "part.html" %}',
        '{% include "part.html" only %}',
        '{% with request="x" %}{% include "part.html" %}{% endwith %}',
        '{% with request="x" %}{% component "tests.Tagged" %}{% endwith %}',
    ],
)
def test_a_component_is_found_its_request_where_a_template_hides_it(
    tmp_path: Path, settings: Settings, template: str
) -> None:
    part = '{% load sse_components %}{% component "tests.Tagged" %}'
    (tmp_path / "part.html").write_text(part)
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path]}]
    assert text(template) == "loaded"


class Wrapped:
    """A request as Django REST framework has it."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


def test_a_request_may_be_wrapped() -> None:
    request = request_for()
    wrapped: Any = Wrapped(request)
    html = page('{% component "tests.Grouped" %}', wrapped)
    assert page_of(request).groups == {"news.tagged"}
    assert root(html)["data-sse-id"] == "tests.Grouped"


class Grouped(ReactiveComponent):
    subscription = "news.tagged"
    template = "<p></p>"


def test_a_component_may_be_kept_for_later() -> None:
    html = page('{% component "tests.Tagged" as one %}<div>{{ one }}</div>')
    assert html.startswith("<div><p data-sse-component=")


def test_what_a_component_is_given_is_escaped() -> None:
    assert text('{% component "tests.Tagged" x %}', x="<b>") == "&lt;b&gt;"


def test_an_unknown_component_is_an_error() -> None:
    with pytest.raises(UnknownComponent, match=r"tests\.Nothing"):
        page('{% component "tests.Nothing" %}')


def test_a_page_without_its_request_is_told_what_it_needs() -> None:
    template = '{% load sse_components %}{% component "tests.Tagged" %}'
    with pytest.raises(ImproperlyConfigured, match=r"context_processors\.request"):
        Template(template).render(Context())
    with pytest.raises(ImproperlyConfigured, match=r"context_processors\.request"):
        Template(template).render(Context({"request": "not one"}))


@pytest.mark.parametrize("count", [0, 3])
def test_a_loop_shows_one_component_for_each_turn(count: int) -> None:
    html = page(
        '{% for n in rows %}{% component "tests.Tagged" n %}{% endfor %}',
        rows=[str(number) for number in range(count)],
    )
    assert len(roots(html)) == count


class Live(ReactiveComponent):
    title = public("<b>&")
    hidden = "not public"
    template = "{% load sse_components %}<p>{% live title %}</p>"


class LiveHidden(Live):
    template = "{% load sse_components %}<p>{% live hidden %}</p>"


def test_a_live_property_is_shown_and_bound() -> None:
    assert text('{% component "tests.Live" %}') == (
        '<span x-text="title">&lt;b&gt;&amp;</span>'
    )


def test_only_a_public_property_can_be_live() -> None:
    with pytest.raises(TemplateSyntaxError, match="no such public property"):
        page('{% component "tests.LiveHidden" %}')


@pytest.mark.parametrize("context", [{}, {"component": "a text"}])
def test_outside_a_component_nothing_can_be_live(context: dict[str, Any]) -> None:
    with pytest.raises(TemplateSyntaxError, match="no such public property"):
        page("{% live title %}", **context)


@pytest.mark.parametrize(
    "tag",
    ["live", "live a b", "live 'title'", "live a.b", "live a|upper", 'live "><script>'],
)
def test_live_takes_one_name(tag: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="takes the name of one public"):
        engines["django"].from_string(f"{{% load sse_components %}}{{% {tag} %}}")


def test_the_place_of_the_script_is_marked_by_a_comment() -> None:
    assert page("<head>{% sse_scripts %}</head>") == ("<head><!--sse-scripts--></head>")
