from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import Client as Browser

from sse_components import ReactiveComponent, public
from sse_components.components.base import Client, values_of
from sse_components.components.methods import Marks
from sse_components.testing import render_component
from tests.components.pages import call, component, request_for
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


@pytest.mark.parametrize("name", ["request", "page", "props", "client", "watch"])
def test_what_a_component_is_given_can_not_be_set_and_the_error_says_what_it_is(
    client: Browser, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    fault = rf"Setting can't set self\.{name}, which is .*: give it another name\."
    with pytest.raises(AttributeError, match=fault):
        render_component(Setting, name)
    answer = call(client, "tests.Setting", "set", args=[name], state=setting())
    assert (answer.status, answer.code) == (500, "error")
    assert f"Setting can't set self.{name}, which is" in caplog.text


class Setting(ReactiveComponent):
    template = "<p>{{ early }}</p>"

    def __init__(self, request: HttpRequest, page: str) -> None:
        self.early = "set before"
        super().__init__(request, page)

    def load(self, name: str = "") -> None:
        if name:
            setattr(self, name, "a customer, say")

    @public
    def set(self, name: str) -> None:
        setattr(self, name, "a customer, say")

    @public
    def set_early(self) -> None:
        self.early = "set later"


def setting() -> str:
    return component("tests.Setting")["data-sse-state"]


def test_something_may_be_set_before_the_library_has_set_its_own() -> None:
    shown = render_component(Setting)
    assert shown.text == "set before"
    assert shown.call("set_early").refresh().text == "set later"


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
