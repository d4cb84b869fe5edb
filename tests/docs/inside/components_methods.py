import pytest
from shop.models import Item  # type: ignore[import-not-found]

from sse_components.testing import CallRefused, render_component


def test_methods_are_called_with_what_their_arguments_say() -> None:
    search = render_component("shop.Search")
    search = search.call("save", "7", "2026-11-22")
    search = search.call("suggest", "milk")
    assert search.result is None
    search.call("search", "milk", "", "text", text="milk")
    search.call("reload", {"data": {}, "group": "shop.sale", "id": "1"})


def test_what_they_are_called_by_stands_in_the_page() -> None:
    html = render_component("shop.Search").html
    for word in ("shop:sale", "300", "1000", "suggest"):
        assert word in html


def test_arguments_of_another_type_are_refused() -> None:
    with pytest.raises(CallRefused) as refused:
        render_component("shop.Search").call("save", "seven")
    assert refused.value.status == 422
    assert refused.value.errors[0]["pointer"] == "/args/0"


@pytest.mark.django_db
def test_a_row_that_the_visitor_names_is_not_the_one_that_is_deleted() -> None:
    mine = Item.objects.create(title="mine")
    other = Item.objects.create(title="other")
    render_component("shop.ItemRow", mine).call("delete", pk=other.pk)
    assert list(Item.objects.all()) == [other]
