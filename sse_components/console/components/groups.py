"""What is heard, and what a group had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sse_components import presence, runtime
from sse_components.brokers.base import ONLINE
from sse_components.components.public import public
from sse_components.console import heard, who
from sse_components.console.components.staff import ForStaff
from sse_components.console.times import moment
from sse_components.events import is_pattern, is_subscribable
from sse_components.groups import covers
from sse_components.logbook.names import is_of_the_logbook

GROUPS: Final = 50
"""On one page."""
EVENTS: Final = 50
"""Of a group, that are shown."""
MEMBERS: Final = 200


class Groups(ForStaff):
    prefix = public("")
    after = public("")
    template_name = "sse_components/console/group_list.html"

    def read(self) -> None:
        self.found, self.next = heard.page(self.prefix, self.after, GROUPS)

    @public.watch("prefix").debounce(200)
    def search(self) -> None:
        self.after = ""

    @public
    def go(self, after: str) -> None:
        self.after = after

    @public.listen("console.process").throttle(5000)
    def follow(self, detail: dict[str, Any]) -> None:
        """Who hears what isn't published, and known to within five seconds."""


class Group(ForStaff):
    template_name = "sse_components/console/group_view.html"

    def read(self, group: str) -> None:
        self.group = group
        self.is_group = is_subscribable(group) and not is_of_the_logbook(group)
        self.is_pattern = is_pattern(group)
        if not self.is_group:
            return
        (self.subscribers,) = runtime.publisher().subscribers([group])
        self.is_counted = group == ONLINE or covers(
            runtime.settings().presence_groups, group
        )
        self.members, self.more_members = [], 0
        self.events: Sequence[tuple[Mapping[str, Any], str]] = []
        if self.is_pattern:
            return
        if self.is_counted:
            found = presence.members(group).members
            self.more_members = max(0, len(found) - MEMBERS)
            names = who.names_of(one.user for one in found[:MEMBERS])
            self.members = [(one, names.get(one.user)) for one in found[:MEMBERS]]
        lines = heard.last_events(group, EVENTS)
        self.events = [(line, moment(line["ts"])) for line in lines]

    @public.listen("console.process").throttle(4000)
    def follow(self, detail: dict[str, Any]) -> None:
        """Rendering shows who is there now, and what came: all of history is read."""
