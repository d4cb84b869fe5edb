from datetime import date

import pytest
from shop.components import Point, Search  # type: ignore[import-not-found]

from sse_components.testing import CallRefused, render_component


def test_defaults_are_in_the_page_as_json() -> None:
    assert render_component(Search).props == {
        "text": "",
        "limit": None,
        "kind": "new",
        "tags": [],
        "until": "2026-01-01",
        "near": None,
    }


def test_values_are_what_their_types_say() -> None:
    given = {"limit": 3, "until": "2027-02-03", "near": {"x": 1, "y": 2}, "tags": ["a"]}
    search = render_component(Search).call("seen", **given)
    found = (3, date(2027, 2, 3), Point(1, 2), ["a"])
    assert search.result == repr(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit", "many"), ("kind", "odd"), ("tags", "a"), ("until", "2019-01-01")],
)
def test_another_value_is_refused(name: str, value: str) -> None:
    with pytest.raises(CallRefused) as refused:
        render_component(Search).call("seen", **{name: value})
    assert refused.value.status == 422
