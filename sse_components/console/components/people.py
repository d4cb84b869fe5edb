"""Who is online."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sse_components import presence
from sse_components.brokers.base import ONLINE
from sse_components.components.public import public
from sse_components.console import who
from sse_components.console.components.staff import ForStaff

PEOPLE: Final = 50


@dataclass(frozen=True, slots=True)
class Person:
    """A user, whether online, and what to call them."""

    user: str
    name: str | None
    status: presence.Status


class People(ForStaff):
    text = public("")
    number = public(1)
    """Of the page."""
    template_name = "sse_components/console/people_list.html"

    def read(self) -> None:
        text = self.text.strip()
        online = presence.members(ONLINE).members
        self.count = len(online)
        if text:
            users = who.search(text)
            names = {str(user.pk): user.get_username() for user in users}
            keys: Sequence[str] = list(names)
            self.pages = 1
        else:
            newest = sorted(online, key=lambda one: one.since, reverse=True)
            self.pages = max(1, -(-len(newest) // PEOPLE))
            self.number = min(max(1, self.number), self.pages)
            start = (self.number - 1) * PEOPLE
            keys = [one.user for one in newest[start : start + PEOPLE]]
            names = dict(who.names_of(keys))
        found = presence.statuses(keys).statuses if keys else []
        self.people = [Person(one.user, names.get(one.user), one) for one in found]

    @public.watch("text").debounce(200)
    def search(self) -> None:
        self.number = 1

    @public
    def turn(self, number: int) -> None:
        self.number = number

    @public.listen("console.process").throttle(3000)
    def follow(self, detail: dict[str, Any]) -> None:
        """Who comes and goes is told to systems with a key, and to nobody else."""
