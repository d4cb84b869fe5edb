"""docs/components.md: its components are rendered and called in a project."""

from __future__ import annotations

from pathlib import Path

from tests.docs.pages import Page
from tests.docs.projects import Project
from tests.tutorials import Block

PAGE = Page("components.md")

ITEMS = """
from django.db import models

from sse_components.models import ReactiveModel


class Item(ReactiveModel):
    title = models.CharField(max_length=200)
"""
ITEM_ROW = """
from sse_components import ReactiveComponent, public


class ItemRow(ReactiveComponent):
    template = "<li>{{ item.title }}</li>"
    subscription = "shop.item"

    def load(self, item):
        self.item = item


class Chart(ReactiveComponent):
    template = "<figure>{{ item.title }} since {{ since|date:'Y-m-d' }}</figure>"

    def load(self, item, since):
        self.item, self.since = item, since
"""
IMPORTS = """
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from sse_components import ReactiveComponent, public

from shop.models import Item


@dataclass
class Point:
    x: int
    y: int


"""
SEEN = """
    @public
    def seen(self) -> str:
        return repr((self.limit, self.until, self.near, self.tags))
"""
SHOWN = '\n    template = "<p>{{ text }}</p>"\n'
LIST = """{% load sse_components %}<ul>
{% for item in items %}{% component "shop.ItemRow" item %}{% endfor %}</ul>"""


@PAGE.runs("# Components")
def test_the_first_component_shows_a_row_and_renames_it(
    blocks: list[Block], tmp_path: Path
) -> None:
    component, tag = blocks
    files = {
        "shop/models.py": ITEMS,
        "shop/components.py": component.text,
        "shop/templates/shop/item.html": "<li>{{ title }}</li>",
        "shop/templates/item.html": tag.text,
    }
    Project(tmp_path, files).passes("components_first", 2)


@PAGE.runs("The tag")
def test_the_tag_gives_arguments_a_key_and_groups(
    blocks: list[Block], tmp_path: Path
) -> None:
    (tags,) = blocks
    files = {
        "shop/models.py": ITEMS.replace(
            "title =", "slug = models.SlugField()\n    title ="
        ),
        "shop/components.py": ITEM_ROW,
        "shop/templates/tags.html": "{% load sse_components %}" + tags.text,
    }
    Project(tmp_path, files).passes("components_tag", 1)


@PAGE.runs("Public properties")
def test_public_properties_have_the_types_of_their_annotations(
    blocks: list[Block], tmp_path: Path
) -> None:
    (component,) = blocks
    files = {
        "shop/models.py": ITEMS,
        "shop/components.py": f"{IMPORTS}{component.text}{SHOWN}{SEEN}",
    }
    Project(tmp_path, files).passes("components_properties", 6)


@PAGE.runs("Public methods")
def test_public_methods_are_called_and_choose_no_row(
    blocks: list[Block], tmp_path: Path
) -> None:
    methods, row = blocks
    files = {
        "shop/models.py": ITEMS,
        "shop/components/searching.py": f"{IMPORTS}{methods.text}{SHOWN}"
        '\n    text = public("")\n',
        "shop/components/rows.py": f"{IMPORTS}{row.text}{SHOWN}",
    }
    Project(tmp_path, files).passes("components_methods", 4)


@PAGE.runs("What it keeps")
def test_what_is_set_is_kept(blocks: list[Block], tmp_path: Path) -> None:
    (wizard,) = blocks
    template = '\n    template = "<p>Step {{ step }}</p>"\n'
    files = {
        "shop/models.py": ITEMS,
        "shop/components.py": f"{IMPORTS}{wizard.text}{template}",
    }
    Project(tmp_path, files).passes("components_kept", 1)


@PAGE.runs("Groups")
def test_groups_are_those_of_the_visitor_and_of_a_list(
    blocks: list[Block], tmp_path: Path
) -> None:
    orders, items = blocks
    load = "\n    def load(self):\n        self.items = Item.objects.all()\n"
    files = {
        "shop/models.py": ITEMS,
        "shop/components/orders.py": f"{IMPORTS}{orders.text}{SHOWN}",
        "shop/components/items.py": f"{IMPORTS}{items.text}{load}",
        "shop/components/rows.py": ITEM_ROW.replace(
            'subscription = "shop.item"', ""
        ).replace(
            "class Chart",
            "    def get_subscription(self):\n"
            '        return f"shop.item.{self.item.pk}"\n\n\nclass Chart',
        ),
        "shop/templates/shop/list.html": LIST,
    }
    Project(tmp_path, files).passes("components_groups", 2)
