"""Methods that are called often, and what a method may do to its page."""

from __future__ import annotations

from sse_components import ReactiveComponent, public
from tests.browser.live.components.loads import LOADS


class Finder(ReactiveComponent):
    """Follows what is typed, but not every letter of it."""

    query = public("")
    found = public("")
    template = (
        '<section><input aria-label="query" x-model="query">'
        '<p id="found" x-text="found"></p></section>'
    )

    @public.watch("query").debounce(300)
    def find(self, query: str) -> str:
        LOADS["find"] += 1
        self.found = f"found {query}"
        return self.found

    @public(update=False).throttle(500)
    def follow(self, place: int) -> int:
        LOADS[f"follow {place}"] += 1
        return place


class Doer(ReactiveComponent):
    """Has its page do things."""

    text = public("before")
    template = (
        '<section id="doer"><p id="text" x-text="text"></p><p>{{ text }}</p></section>'
    )

    @public(update=False)
    def update(self) -> None:
        self.client.update(text="updated")

    @public
    def dispatch(self) -> None:
        self.client.dispatch("doer:done", {"pk": 7})

    @public
    def remove(self) -> None:
        self.client.remove()

    @public
    def redirect(self) -> None:
        self.client.redirect("/none")
