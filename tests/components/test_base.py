from __future__ import annotations

import pytest

from sse_components import ReactiveComponent, public
from sse_components.components.base import Client, values_of
from sse_components.components.methods import Marks
from tests.components.pages import component, request_for
from tests.servers import ROOT

REFERENCE = (ROOT / "docs" / "components.md").read_text()


class Plain(ReactiveComponent):
    template = "<p></p>"


def names_of(owner: object) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("_")]


# A77
@pytest.mark.parametrize(
    "name",
    [
        *names_of(Plain(request_for(), "/")),
        *names_of(Client()),
        *names_of(Marks()),
    ],
)
def test_the_reference_names_all_that_a_component_can_do(name: str) -> None:
    internal = {"public_methods", "public_properties", "actions", "removes"}
    assert name in internal or name in REFERENCE


class Called(ReactiveComponent):
    template = "<p>{{ component.save }}</p>"
    calls = 0

    @public
    def save(self) -> None:
        Called.calls += 1


def test_a_template_calls_no_public_method() -> None:
    assert component("tests.Called")
    assert Called.calls == 0


def test_the_public_properties_are_told_as_they_are_now_which_counts_as_reading() -> (
    None
):
    propped = Propped(request_for(), "/")
    propped.title = "set"
    propped.watch.given.add("title")
    assert values_of(propped) == {"title": "set"}
    assert not propped.watch.ever
    assert propped.props == {"title": "set"}
    assert propped.watch.ever == {"title"}
    propped.title = "the server's now"
    assert not propped.watch.given
    assert not propped.watch.reads


class Propped(ReactiveComponent):
    title = public("")
    template = "<p></p>"


def test_what_is_wanted_in_the_page_is_done_in_its_order() -> None:
    client = Client()
    client.dispatch("saved")
    client.update(count=5)
    client.redirect("/next")
    assert not client.removes
    client.remove()
    assert client.removes
    assert client.actions == [
        ("dispatch", "saved", None),
        ("update", {"count": 5}),
        ("redirect", "/next"),
        ("remove",),
    ]
