"""What a push can do to a component."""

from __future__ import annotations

from typing import Any

from sse_components import ReactiveComponent, public
from tests.browser.live.components.loads import LOADS


class Board(ReactiveComponent):
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
        LOADS["ring"] += 1
        self.heard += f"[{detail['data']['text']}]"


class Quiet(ReactiveComponent):
    """Follows the board in its page alone: nothing is read by the server."""

    headline = public("")
    subscription = "board.news"
    template = '<p id="quiet" x-text="headline"></p>'

    def load(self) -> None:
        LOADS["quiet"] += 1
