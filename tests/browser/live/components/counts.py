"""A count that visitors add to, which is told of before, with or after the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import copy_context
from itertools import count
from threading import Thread
from typing import Any, Final

from sse_components import ComponentDispatcher, ReactiveComponent, public

GROUP: Final = "live.count"
COUNT: Final = {"n": 0}
_renders = count(1)


class Count(ReactiveComponent):
    """Shows the count, and which render of all this is."""

    n = public(0)
    subscription = GROUP
    template = (
        '<p id="count-{{ component.name }}"><b>{{ n }}</b> <i>{{ component.render }}'
        "</i><button @click=\"add('now')\">now</button>"
        "<button @click=\"add('early')\">early</button>"
        "<button @click=\"add('late')\">late</button></p>"
    )

    def load(self, name: str) -> None:
        self.name = name
        self.n = COUNT["n"]

    def render(self) -> int:
        return next(_renders)

    @public
    def add(self, when: str) -> None:
        COUNT["n"] += 1
        self.n = COUNT["n"]
        if when == "late":
            _in_two_seconds(_publish)
            return
        _publish()
        if when == "early":
            time.sleep(1)  # every page has heard of it before this is answered


def _publish() -> None:
    ComponentDispatcher.sync.data_changed(GROUP, {"n": COUNT["n"]})


def _in_two_seconds(run: Callable[[], Any]) -> None:
    """As a task would, which knows whose request it is a part of."""
    context = copy_context()

    def wait() -> None:
        time.sleep(2)
        context.run(run)

    Thread(target=wait, daemon=True).start()
