"""What became of a model's rows in a transaction, as the events that tell of it."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sse_components import operations
from sse_components.errors import InvalidEvent
from sse_components.events import Draft

logger = logging.getLogger("sse_components.models")


@dataclass(frozen=True, slots=True)
class Groups:
    """Where a row is known."""

    instance: str | None
    """Of the components that show it."""
    collections: tuple[str, ...]
    """Of the lists that it is in."""


@dataclass(frozen=True, slots=True)
class Row:
    """Which row it is."""

    model: str
    pk: Hashable
    """None for one that the database gave a key that it hasn't told."""
    nameless: object = None
    """Tells rows without a key apart."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was done to a row."""

    row: Row
    before: Groups | None
    """None if there was no such row."""
    after: Groups | None
    """None if there is none any more."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What may travel of its new values."""
    complete: bool = False
    """Whether the data is all there is to know."""


def drafts_of(changes: Iterable[Change]) -> list[Draft]:
    """Return the events that tell of changes, in the order of the rows.

    A row has one for each of its groups, however often it was changed, and none if it
    is gone as it came. A list is told once that it has grown, or that rows have left.
    """
    rows: dict[Row, list[Change]] = {}
    for change in changes:
        rows.setdefault(change.row, []).append(change)
    grown: dict[str, list[Row]] = {}
    shrunk: dict[str, None] = {}
    drafts: list[Draft] = []
    for row, history in rows.items():
        before, after = history[0].before, history[-1].after
        for name in _only_in(after, before):
            grown.setdefault(name, []).append(row)
        if before and not after:
            drafts += _removed(before)
        elif before and after:
            shrunk |= dict.fromkeys(_only_in(before, after))
            drafts += _changed(row, before, after, history)
    return [
        *(_created(name, new) for name, new in grown.items()),
        # The rows are still somewhere, perhaps on the same page: the list knows.
        *(operations.data_changed(name) for name in shrunk if name not in grown),
        *drafts,
    ]


def _only_in(one: Groups | None, other: Groups | None) -> list[str]:
    """Return the collections of one that the other hasn't."""
    had = other.collections if other else ()
    return [name for name in one.collections if name not in had] if one else []


def _removed(before: Groups) -> Iterable[Draft]:
    for name in before.collections:
        if before.instance:
            yield operations.component_removed(name, target_group=before.instance)
        else:
            yield operations.data_changed(name)
    if before.instance:
        yield operations.component_removed(before.instance)


def _created(name: str, rows: Sequence[Row]) -> Draft:
    only = rows[0].pk if len(rows) == 1 else None
    data = {} if only is None else {"pk": only}
    try:
        return operations.component_created(name, data)
    except InvalidEvent as error:
        logger.error("The key of a %s doesn't travel: %s", rows[0].model, error)
        return operations.component_created(name)


def _changed(
    row: Row, before: Groups, after: Groups, history: Sequence[Change]
) -> Iterable[Draft]:
    if before.instance and before.instance != after.instance:
        # Who shows it is subscribed to its old name: fetching brings the new one.
        yield operations.row_changed(before.instance, row.model, {})
    if after.instance:
        yield _with_data(row, after.instance, history)


def _with_data(row: Row, name: str, history: Sequence[Change]) -> Draft:
    data: dict[str, Any] = {}
    for change in history:
        data |= change.data
    update = bool(data) and not all(change.complete for change in history)
    try:
        return operations.row_changed(name, row.model, data, update=update)
    except InvalidEvent as error:
        logger.error("The data of a %s doesn't travel: %s", row.model, error)
        return operations.row_changed(name, row.model, {})
