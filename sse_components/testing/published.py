"""What was published, and what a test says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sse_components import operations, wire
from sse_components.events import Position, matches
from sse_components.groups import wire_name

EVERYTHING = "**"


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """One event, as it was published."""

    group: str
    type: str
    payload: Any
    sender: str | None
    """The tab and the request that caused it, `tab.request`."""
    position: Position

    @property
    def id(self) -> str:
        """The position as streams carry it."""
        return str(self.position)

    def __str__(self) -> str:
        payload = json.dumps(self.payload, ensure_ascii=False)
        return f"{self.group} {self.type} {payload}"


class Events(list[PublishedEvent]):
    """What was published, in order."""

    def of(
        self, group: str = EVERYTHING, type: str | None = None, **payload: Any
    ) -> Events:
        """Return those of a group, of a type, and with this in their payload.

        The group may be a pattern, such as `demo.todo.*`. Of objects in the payload it
        is enough to name some members, but an empty one has none.
        """
        name, part = wire_name(group), _as_json(payload)
        return Events(
            event
            for event in self
            if matches(name, event.group)
            and type in (None, event.type)
            and (not part or _includes(event.payload, part))
        )


def assert_published(
    events: Events, /, group: str, type: str | None = None, **payload: Any
) -> Events:
    """Check that something `Events.of` finds was published, and return it."""
    if found := events.of(group, type, **payload):
        return found
    wanted = " ".join([group, type or "of any type", *_told(payload)])
    raise AssertionError(f"{wanted} was not published. {_shown(events)}")


def assert_nothing_published(
    events: Events, /, group: str = EVERYTHING, type: str | None = None, **payload: Any
) -> None:
    """Check that nothing `Events.of` finds was published."""
    if found := events.of(group, type, **payload):
        raise AssertionError(_shown(found))


def _as_json(value: object) -> Any:
    """Return a value as it is after its travel."""
    return json.loads(wire.dumps(value, operations.encode))


def _includes(whole: Any, part: Any) -> bool:
    if not part or not isinstance(part, dict) or not isinstance(whole, dict):
        return bool(whole == part)
    return all(
        name in whole and _includes(whole[name], value) for name, value in part.items()
    )


def _told(payload: Mapping[str, Any]) -> list[str]:
    if not payload:
        return []
    return [f"with {json.dumps(_as_json(payload), ensure_ascii=False)}"]


def _shown(events: Sequence[PublishedEvent]) -> str:
    if not events:
        return "Nothing was."
    return "\n".join(["What was:", *(f"  {event}" for event in events)])
