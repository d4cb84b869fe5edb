from __future__ import annotations

import pytest

from sse_components import ReactiveComponent
from sse_components.components.base import Client
from sse_components.components.methods import Marks
from tests.components.pages import request_for
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
