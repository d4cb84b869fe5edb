"""What is published now, and publishing by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from sse_components import operations, runtime
from sse_components.components.public import public
from sse_components.console.components.staff import ForStaff
from sse_components.errors import BrokerUnavailable
from sse_components.events import Draft
from sse_components.logbook.names import PROCESSES, TAIL, is_of_the_logbook

Operation = Literal["data_changed", "notify", "created", "removed", "own"]


class Tail(ForStaff):
    """Processes publish what they hear for as long as somebody has this on a page."""

    template_name = "sse_components/console/tail.html"

    def get_subscription(self) -> Sequence[str]:
        return [PROCESSES, TAIL]


class Publish(ForStaff):
    operation: Operation = public("data_changed")
    group = public("")
    data = public("")
    update = public(False)
    event_name = public("")
    """Of a notification, or the type of an event of one's own."""
    component_id = public("")
    key = public("")
    target_group = public("")
    template_name = "sse_components/console/publish.html"
    fault = ""
    published = ""
    """The id of the event."""

    @public
    def publish(self) -> None:
        self.fault = self.published = ""
        try:
            draft = self._draft()
        except ValueError as error:
            self.fault = str(error)
            return
        try:
            (done,) = runtime.publisher().publish([draft])
        except BrokerUnavailable:
            self.fault = "The broker is away: whether it was published isn't known."
            return
        self.published, self.published_to = str(done.position), draft.group
        self._log(f"published {draft.type} to {draft.group}")

    def _draft(self) -> Draft:
        group = self.group.strip()
        if is_of_the_logbook(group):
            raise ValueError("What the console itself says isn't published by hand.")
        target = self.target_group.strip() or None
        if self.operation == "removed":
            return operations.component_removed(
                group,
                component_id=self.component_id.strip() or None,
                key=self.key.strip() or None,
                target_group=target,
            )
        data = _parsed(self.data)
        if self.operation == "own":
            return operations.publish(group, self.event_name.strip(), data)
        if data is not None and not isinstance(data, dict):
            raise ValueError('The data is an object: {"headline": "Hello"}.')
        if self.operation == "notify":
            return operations.notify(group, self.event_name.strip(), data)
        if self.operation == "created":
            return operations.component_created(group, data, target_group=target)
        return operations.data_changed(group, data, update=self.update)


def _parsed(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The data isn't JSON: {error}.") from None
