"""Components whose state is a list in the process, so that a test can change it."""

from __future__ import annotations

from typing import Any

from sse_components import ReactiveComponent, public

ITEMS: list[str] = ["1", "2", "3"]
LOADS: dict[str, int] = {}


class Row(ReactiveComponent):
    label = public("")
    template = (
        '<li>{{ label }}<input aria-label="note {{ component.number }}">'
        "<button @click=\"rename(label + '!')\">rename</button></li>"
    )

    def load(self, number: str) -> None:
        LOADS["row"] = LOADS.get("row", 0) + 1
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
        LOADS["shelf"] = LOADS.get("shelf", 0) + 1
        self.items = list(ITEMS)


class Board(ReactiveComponent):
    """Everything a push can do to a component."""

    headline = public("from load")
    count: int = public(0)
    draft = public("")
    heard = public("")
    subscription = "board.news"
    template = (
        '{% load sse_components %}<section><p id="server">{{ headline }}</p>'
        '<p id="bound" x-text="headline"></p><p id="count">{% live count %}</p>'
        '<p id="heard">{{ heard }}</p><input id="draft" x-model="draft"></section>'
    )

    @public.listen("board:ring")
    def ring(self, detail: dict[str, Any]) -> None:
        LOADS["ring"] = LOADS.get("ring", 0) + 1
        self.heard += f"[{detail['data']['text']}]"


class Quiet(ReactiveComponent):
    """Follows the board in its page alone: nothing is read by the server."""

    headline = public("")
    subscription = "board.news"
    template = '<p id="quiet" x-text="headline"></p>'

    def load(self) -> None:
        LOADS["quiet"] = LOADS.get("quiet", 0) + 1
