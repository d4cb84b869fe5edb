import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory
from shop.models import Item  # type: ignore[import-not-found]

from sse_components.testing import assert_published, capture_events, render_component

pytestmark = pytest.mark.django_db


def test_the_tag_stands_for_the_row() -> None:
    item = Item.objects.create(title="Milk")
    request = RequestFactory().get("/")
    html = render_to_string("item.html", {"item": item}, request)
    assert "Milk" in html
    assert f'data-sse-id="shop.ItemRow:{item.pk}"' in html


def test_a_title_that_is_changed_is_saved_and_told() -> None:
    item = Item.objects.create(title="Milk")
    row = render_component("shop.ItemRow", item)
    assert row.id == f"shop.ItemRow:{item.pk}"
    assert row.groups == [f"shop.item.{item.pk}"]
    assert row.props == {"title": "Milk"}
    with capture_events() as events:
        row = row.call("rename", "Oat milk", title="Oat milk")
    assert row.text == "Oat milk"
    assert Item.objects.get().title == "Oat milk"
    assert_published(events, f"shop.item.{item.pk}", "component.data_changed")
