"""Lists of components, each of them on a group of its own."""

from __future__ import annotations

from sse_components import ComponentDispatcher, ReactiveComponent, public
from tests.browser.live.components.loads import LOADS

ITEMS: list[str] = ["1", "2", "3"]
STOCK: list[int] = list(range(1000))


class Row(ReactiveComponent):
    label = public("")
    template = (
        '<li>{{ label }}<input aria-label="note {{ component.number }}">'
        "<button @click=\"rename(label + '!')\">rename</button></li>"
    )

    def load(self, number: str) -> None:
        LOADS["row"] += 1
        LOADS[f"row {number}"] += 1
        self.number = number
        if not self.label:
            self.label = f"item {number}"

    def get_subscription(self) -> str:
        return f"shop.item.{self.number}"

    @public
    def rename(self, label: str) -> str:
        self.label = label
        return label


class Shelf(ReactiveComponent):
    subscription = "shop.item"
    template = (
        "{% load sse_components %}<ul>{% for n in items %}"
        '{% component "live.Row" n key=n %}{% endfor %}</ul>'
    )

    def load(self) -> None:
        LOADS["shelf"] += 1
        self.items = list(ITEMS)


class Adder(ReactiveComponent):
    """A form inside of the list that it adds to."""

    number = public("")
    template = (
        '<form @submit.prevent="add"><input aria-label="new" x-model="number">'
        "<button>add</button></form>"
    )

    @public
    def add(self) -> None:
        ITEMS.append(self.number)
        self.client.update(number="")
        ComponentDispatcher.sync.component_created("shop.item")


class Basket(ReactiveComponent):
    """A list with its form."""

    subscription = "shop.item"
    template = (
        '{% load sse_components %}<section>{% component "live.Adder" %}'
        "<ul>{% for n in items %}<li>{{ n }}</li>{% endfor %}</ul></section>"
    )

    def load(self) -> None:
        self.items = list(ITEMS)


class Article(ReactiveComponent):
    """One of very many."""

    name = public("")
    template = '<li id="article-{{ component.number }}" x-text="name"></li>'

    def load(self, number: int) -> None:
        self.number = number
        self.name = f"article {number}"

    def get_subscription(self) -> str:
        return f"stock.article.{self.number}"


class Catalogue(ReactiveComponent):
    subscription = "stock.article"
    covers = "stock.article.*"
    template = (
        "{% load sse_components %}<ul>{% for n in numbers %}"
        '{% component "live.Article" n key=n %}{% endfor %}</ul>'
    )

    def load(self) -> None:
        LOADS["catalogue"] += 1
        self.numbers = list(STOCK)
