from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from project.demo.models import BreakingNews
from sse_components import ReactiveComponent
from sse_components.components import keys
from sse_components.components.state import read
from sse_components.events import hashed
from tests.components.pages import call, page, root, roots

HOSTILE = '"><script>alert(1)</script>'
KEYLESS = '{% component "tests.Keyed" %}'


@pytest.fixture(autouse=True)
def _nothing_was_told() -> Iterator[None]:
    keys._told.clear()
    yield
    keys._told.clear()


class Keyed(ReactiveComponent):
    template = "<p></p>"

    def load(self, row: object = None, *, other: object = None) -> None: ...


class Keyless(ReactiveComponent):
    """So many of the same, and another."""

    template = (
        "{% load sse_components %}<div>{% for n in turns %}"
        '{% component "tests.Keyed" %}{% endfor %}'
        '{% component "tests.Within" %}</div>'
    )

    def load(self, count: int = 2) -> None:
        self.turns = range(count)


class Within(ReactiveComponent):
    template = "<b></b>"


class WithKeys(ReactiveComponent):
    template = (
        "{% load sse_components %}<div>{% for row in rows %}"
        '{% component "tests.Keyed" key=row %}{% endfor %}</div>'
    )

    def load(self, *rows: object) -> None:
        self.rows = rows


class Tree(ReactiveComponent):
    """Has another of its own kind inside, and so on."""

    template = (
        "{% load sse_components %}<ul>{% if depth %}"
        '{% component "tests.Tree" depth %}{% endif %}</ul>'
    )

    def load(self, depth: int) -> None:
        self.depth = depth - 1


def ids(html: str) -> list[str]:
    return [one["data-sse-id"] for one in roots(html)]


def shown(template: str, **context: Any) -> list[str]:
    return ids(page(template, **context))


# The key of one


def test_later_ones_without_a_key_are_numbered() -> None:
    found = roots(page(3 * KEYLESS))
    assert [(one["data-sse-id"], one["data-sse-key"]) for one in found] == [
        ("tests.Keyed", ""),
        ("tests.Keyed:2", "2"),
        ("tests.Keyed:3", "3"),
    ]


@pytest.mark.django_db
def test_the_key_of_a_model_is_its_primary_key() -> None:
    row = BreakingNews.objects.create(title="a")
    id = [f"tests.Keyed:{row.pk}"]
    assert shown('{% component "tests.Keyed" row %}', row=row) == id
    assert shown('{% component "tests.Keyed" 5 other=row %}', row=row) == id


@pytest.mark.django_db
def test_an_explicit_key_wins_over_a_model() -> None:
    row = BreakingNews.objects.create(title="a")
    assert shown('{% component "tests.Keyed" row key="x_-1" %}', row=row) == [
        "tests.Keyed:x_-1"
    ]


def test_those_with_a_key_are_not_counted() -> None:
    given = '{% component "tests.Keyed" key=5 %}' + KEYLESS
    assert shown(given) == ["tests.Keyed:5", "tests.Keyed"]


# A27
@pytest.mark.parametrize("key", [HOSTILE, "a.b", "ä", "", "x y", 101 * "x", 300 * "x"])
def test_a_key_that_is_no_segment_is_hashed(key: str) -> None:
    html = page('{% component "tests.Keyed" key=key %}', key=key)
    assert root(html)["data-sse-key"] == hashed(key)
    assert HOSTILE not in html


def test_a_key_of_100_characters_stays() -> None:
    found = shown('{% component "tests.Keyed" key=key %}', key=100 * "x")
    assert found == [f"tests.Keyed:{100 * 'x'}"]


# The same key twice


TWICE = [
    '{% component "tests.Keyed" key=5 %}{% component "tests.Keyed" key="5" %}',
    '{% component "tests.Keyed" row %}{% component "tests.Keyed" other=row %}',
    '{% component "tests.Keyed" row %}{% component "tests.Keyed" key=row.pk %}',
    '{% component "tests.WithKeys" 1 2 1 %}',
    # The number that one without a key gets.
    KEYLESS + '{% component "tests.Keyed" key=2 %}' + KEYLESS,
]


# A52
@pytest.mark.django_db
@pytest.mark.parametrize("template", TWICE)
def test_the_same_key_twice_in_one_parent_is_an_error_while_debugging(
    settings: Settings, template: str
) -> None:
    settings.DEBUG = True
    row = BreakingNews.objects.create(title="a")
    with pytest.raises(
        ImproperlyConfigured, match=r"has two tests\.Keyed with the key"
    ):
        page(template, row=row)


def test_the_error_names_the_parent_and_the_key(settings: Settings) -> None:
    settings.DEBUG = True
    with pytest.raises(
        ImproperlyConfigured,
        match=r"tests\.WithKeys has two tests\.Keyed with the key 'x'",
    ):
        page('{% component "tests.WithKeys" "x" "x" %}')


# A52
@pytest.mark.django_db
@pytest.mark.parametrize("template", TWICE)
def test_the_same_key_twice_in_one_parent_warns_once_otherwise(
    settings: Settings, caplog: pytest.LogCaptureFixture, template: str
) -> None:
    settings.DEBUG = False
    row = BreakingNews.objects.create(title="a")
    for _ in range(3):
        assert len(shown(template, row=row)) >= 2
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "tests.Keyed" in caplog.text


@pytest.mark.parametrize(
    "template",
    [
        # In different parents, of which the page is one.
        '{% component "tests.WithKeys" 1 2 %}{% component "tests.WithKeys" 1 2 %}',
        '{% component "tests.Keyed" key=1 %}{% component "tests.WithKeys" 1 %}',
        # Of different components.
        '{% component "tests.Keyed" key=1 %}{% component "tests.Within" key=1 %}',
        '{% component "tests.Keyed" key=1 %}{% component "tests.Keyed" key=2 %}',
    ],
)
def test_the_same_key_may_be_elsewhere_too(
    settings: Settings, caplog: pytest.LogCaptureFixture, template: str
) -> None:
    settings.DEBUG = True
    page(template)
    assert not caplog.records


def test_a_parent_that_failed_is_nobodys_parent_any_more(settings: Settings) -> None:
    settings.DEBUG = True
    page_keys = keys.Keys()
    page_keys.own("tests.Keyed", 1)
    with pytest.raises(LookupError), page_keys.inside("tests.Keyless"):
        raise LookupError
    with pytest.raises(ImproperlyConfigured, match="The page has two"):
        page_keys.own("tests.Keyed", 1)


# None in a loop


# A52
def test_several_without_a_key_in_one_component_are_told_once_while_debugging(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = True
    for _ in range(2):
        page('{% component "tests.Keyless" 3 %}{% component "tests.Keyless" 3 %}')
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "tests.Keyless has several tests.Keyed without a key" in caplog.text


@pytest.mark.parametrize(
    ("debug", "template"),
    [
        (False, '{% component "tests.Keyless" 3 %}'),
        (True, '{% component "tests.Keyless" 1 %}{% component "tests.Keyless" 1 %}'),
        (True, '{% component "tests.WithKeys" 1 2 %}'),
        (True, 3 * KEYLESS),  # which stay where the template has them
    ],
)
def test_nothing_is_told_of_those_that_can_be_told_apart(
    settings: Settings, caplog: pytest.LogCaptureFixture, debug: bool, template: str
) -> None:
    settings.DEBUG = debug
    page(template)
    assert not caplog.records


# Numbers that stay


@pytest.mark.parametrize("before", ["", KEYLESS, 2 * KEYLESS])
@pytest.mark.parametrize("name", ["tests.Keyless", "tests.WithKeys", "tests.Tree"])
def test_a_refresh_gives_those_inside_the_ids_that_they_have_on_the_page(
    client: Client, before: str, name: str
) -> None:
    found = roots(page(before + 2 * f'{{% component "{name}" 3 %}}' + KEYLESS))
    everything = [one["data-sse-id"] for one in found]
    for place, parent in enumerate(found):
        if parent["data-sse-component"] != name:
            continue
        state = parent["data-sse-state"]
        for _ in range(2):
            html = call(client, name, state=state).html
            inside = ids(html)
            assert inside == everything[place : place + len(inside)]
            state = roots(html)[0]["data-sse-state"]


def test_what_has_nothing_inside_carries_no_number_of_what_it_is_in() -> None:
    for one in roots(page('{% component "tests.Keyless" 3 %}'))[1:-1]:
        assert read(one["data-sse-state"], "tests.Keyed").counted == {}


def test_a_list_that_was_empty_does_not_take_the_ids_of_another(client: Client) -> None:
    html = page('{% component "tests.Keyless" 2 %}{% component "tests.Grows" %}')
    state = roots(html)[-1]["data-sse-state"]
    answer = call(client, "tests.Grows", state=state)
    assert not set(ids(answer.html)) & set(ids(html)[:-1])


class Grows(ReactiveComponent):
    """Has something inside it once it is refreshed."""

    template = (
        "{% load sse_components %}<div>{% if request.method == 'POST' %}"
        '{% component "tests.Keyed" %}{% endif %}</div>'
    )
