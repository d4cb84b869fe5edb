"""Texts that several visitors have in front of them, and edit."""

from __future__ import annotations

from typing import Any

from sse_components import ComponentDispatcher, ReactiveComponent, public
from tests.browser.live.components.loads import LOADS

TEXT: dict[str, Any] = {"title": "first", "tags": ["a"]}


class Text(ReactiveComponent):
    """Saves what is changed in it, and shows everybody what was saved."""

    title = public("")
    tags: list[str] = public([])
    subscription = "live.text"
    template = (
        '<section><input aria-label="title" x-model="title">'
        '<p id="title" x-text="title"></p><p id="tags" x-text="tags.join()"></p>'
        "<button @click=\"tags.push('b')\">tag</button></section>"
    )

    def load(self) -> None:
        self.title, self.tags = TEXT["title"], list(TEXT["tags"])

    @public.watch("title", "tags")
    def save(self, value: Any, old: Any, name: str) -> None:
        LOADS[f"save {name} {old} {value}"] += 1
        TEXT[name] = value
        ComponentDispatcher.sync.data_changed("live.text", {name: value})


class Letter(ReactiveComponent):
    """Two fields to type in, which nothing is done with."""

    subject = public("")
    body = public("")
    subscription = "live.letter"
    template = (
        '<form><input aria-label="subject" x-model="subject">'
        '<input aria-label="body" x-model="body"></form>'
    )
