"""The first is the one that every description begins with."""

from __future__ import annotations

from typing import Any

from project.demo.models import BreakingNews
from sse_components import ReactiveComponent, public


class NewsTicker(ReactiveComponent):
    headline = public("")
    # this component always subscribes to one channel: "news.updates"
    subscription = "news.updates"
    template_name = "demo/ticker.html"

    def load(self, *args, **kwargs) -> None:  # type: ignore[no-untyped-def]  # as in the docs
        # Fetch the latest news headline from database
        news = BreakingNews.objects.order_by("?").first()
        if news:
            self.headline = news.title


class LiveTicker(NewsTicker):
    """The same, but the page shows a new headline without asking for HTML."""

    template_name = "demo/live_ticker.html"


class Alert(ReactiveComponent):
    """A bar over the page, for everybody."""

    message = public("")
    subscription = "broadcast"
    template_name = "demo/alert.html"

    @public.listen("tetra:alert")
    def show(self, detail: dict[str, Any]) -> None:
        self.message = str(detail.get("data", {}).get("message", ""))[:200]

    @public
    def dismiss(self) -> None:
        self.message = ""
