import json
import re
from html import unescape

import pytest
from django.test import Client
from shop.models import Item  # type: ignore[import-not-found]

from sse_components.testing import render_component

pytestmark = pytest.mark.django_db


def test_a_visitors_own_groups_are_those_of_the_visitor() -> None:
    assert render_component("shop.Orders").groups == ["shop.order"]
    client = Client()
    session = client.session
    session["a"] = "b"
    session.save()
    key = str(session.session_key)
    client.cookies["sessionid"] = key
    order, own = render_component("shop.Orders", client=client).groups
    assert order == "shop.order"
    assert own.startswith("session.h-")
    assert key not in own


def test_a_list_covers_its_items() -> None:
    items = [Item.objects.create(title=title) for title in ("a", "b")]
    shown = render_component("shop.ItemList")
    assert shown.groups == ["shop.item"]
    found = re.findall(r'data-sse-groups="([^"]*)"', shown.html)
    own = [json.loads(unescape(one)) for one in found]
    assert own == [["shop.item"], *([f"shop.item.{item.pk}"] for item in items)]
    assert "shop.item.*" in unescape(shown.html)
