"""Many components, each on a group of its own."""

from __future__ import annotations

from sse_components import ReactiveComponent, public


class Tile(ReactiveComponent):
    label = public("")
    template = '<p id="tile-{{ component.number }}" x-text="label"></p>'

    def load(self, number: int) -> None:
        self.number = number

    def get_subscription(self) -> str:
        return f"live.tile.{self.number}"
