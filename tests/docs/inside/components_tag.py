import json
import re
from datetime import date
from html import unescape

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory
from shop.models import Item  # type: ignore[import-not-found]


@pytest.mark.django_db
def test_a_row_has_its_key_and_the_groups_that_the_tag_gives() -> None:
    item = Item.objects.create(title="Milk", slug="oat-milk")
    groups = ["shop.year", "shop.day"]
    context = {"item": item, "day": date(2026, 11, 30), "groups": groups}
    html = render_to_string("tags.html", context, RequestFactory().get("/"))
    assert re.findall(r'data-sse-id="([^"]*)"', html) == [
        f"shop.ItemRow:{item.pk}",
        "shop.ItemRow:oat-milk",
        f"shop.Chart:{item.pk}",
    ]
    found = re.findall(r'data-sse-groups="([^"]*)"', html)
    assert [json.loads(unescape(one)) for one in found] == [
        ["shop.item"],
        ["shop.sale"],
        groups,
    ]
    assert html.count("Milk since 2026-11-30") == 1
