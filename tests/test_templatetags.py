from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template, TemplateSyntaxError, engines

from sse_components import ReactiveComponent, public
from sse_components.components.registry import UnknownComponent
from tests.components.pages import page, roots


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
