"""What can be published, as drafts: the four operations, and events of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model

from sse_components.errors import InvalidPayload
from sse_components.events import (
    Created,
    DataChanged,
    Draft,
    Notify,
    Removed,
    RowChanged,
    check_group,
    check_own_type,
    check_text,
    component_key,
)
from sse_components.groups import wire_name
from sse_components.wire import dumps


def data_changed(
    group: str,
    data: Mapping[str, Any] | None = None,
    *,
    update: bool = False,
    sender: str | None = None,
) -> Draft:
    """Set public properties of the components subscribed to a group.

    Without data, or with `update`, they fetch their HTML. Dates, decimals, UUIDs and
    lazy texts travel as text, models as their primary key. `sender` is the tab and
    the request that caused the change, whose component ignores it.

    Raises `InvalidGroup`, `InvalidPayload`, `PayloadTooLarge`, all `ValueError`s, and
    `BrokerUnavailable`.
    """
    if not isinstance(update, bool):
        raise InvalidPayload(f"update is True or False, not {update!r}.")
    payload: DataChanged = {"data": _members(data), "update": update}
    return _draft(group, "component.data_changed", payload, sender)


def row_changed(
    group: str, model: str, data: Mapping[str, Any], *, update: bool = False
) -> Draft:
    """Tell of a change to a model's row, as `data_changed` does.

    It says which model's: such events are published after their commits, but not in
    the order of the commits, and a client has to fetch when it hears two at once.
    """
    payload: RowChanged = {"data": _members(data), "update": update, "model": model}
    return _draft(group, "component.data_changed", payload, None)


def component_created(
    group: str,
    data: Mapping[str, Any] | None = None,
    *,
    component_id: str | None = None,
    target_group: str | None = None,
    sender: str | None = None,
) -> Draft:
    """Have the components subscribed to `target_group`, else to `group`, fetch.

    Raises as `data_changed` does.
    """
    payload: Created = {
        "data": _members(data),
        "component_id": _component_id(component_id),
        "target_group": None if target_group is None else _group(target_group),
    }
    return _draft(group, "component.created", payload, sender)


def component_removed(
    group: str,
    *,
    component_id: str | None = None,
    key: object = None,
    target_group: str | None = None,
    sender: str | None = None,
) -> Draft:
    """Remove the component of an id, of a key, or all subscribed to a target group.

    With none of them, all that are subscribed to `group`. Raises as `data_changed`.
    """
    payload: Removed = {
        "component_id": _component_id(component_id),
        "key": None if key is None else component_key(key),
        "target_group": None if target_group is None else _group(target_group),
    }
    return _draft(group, "component.removed", payload, sender)


def notify(
    group: str,
    event_name: str,
    data: Mapping[str, Any] | None = None,
    *,
    sender: str | None = None,
) -> Draft:
    """Fire an event of any name in the browsers of a group.

    Raises as `data_changed` does, and `InvalidEvent` for a name with CR, LF or NUL.
    """
    payload: Notify = {
        "event_name": check_text("The name of an event", event_name),
        "data": _members(data),
    }
    return _draft(group, "notify", payload, sender)


def publish(
    group: str, type: str, payload: object = None, *, sender: str | None = None
) -> Draft:
    """Publish an event of one's own type, for clients of one's own.

    The payload is anything that JSON can hold. Raises as `data_changed` does, and
    `InvalidEvent` for a type that belongs to the library.
    """
    return _draft(group, check_own_type(type), payload, sender)


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        return o.pk if isinstance(o, Model) else super().default(o)


encode = _Encoder().default
"""What becomes of a value that JSON doesn't know; for `wire.dumps`."""


sender: ContextVar[str | None] = ContextVar("sender", default=None)
"""The tab and the request that is being served, which cause what is published."""


def _draft(group: str, type: str, payload: object, by: str | None) -> Draft:
    by = sender.get() if by is None else by
    return Draft(_group(group), type, dumps(payload, encode), by)


def _group(name: str) -> str:
    # A session's key is no segment in every engine, and must not stand in an error.
    return check_group(wire_name(name) if isinstance(name, str) else name)


def _component_id(id: str | None) -> str | None:
    return None if id is None else check_text("The id of a component", id)


def _members(data: Mapping[str, Any] | None) -> dict[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise InvalidPayload(
            f"data is an object with names, not {type(data).__name__}."
        )
    return dict(data)
