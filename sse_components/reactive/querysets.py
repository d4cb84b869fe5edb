"""What a query set does to many rows at once, published in one step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models

from sse_components.reactive import rows
from sse_components.reactive.changes import Change, Groups
from sse_components.reactive.commits import publish_after_commit
from sse_components.reactive.suppression import is_suppressed, suppress_events

if TYPE_CHECKING:
    from sse_components.reactive.base import ReactiveModel

M = TypeVar("M", bound="ReactiveModel")


class ReactiveQuerySet(models.QuerySet[M]):
    """Publishes what `update`, `bulk_create`, `bulk_update` and `delete` do.

    The components of rows that are updated fetch their HTML: what the database
    computes isn't known here. An update reads the primary keys of its rows first; where
    groups depend on the row, the rows before and after it.
    """

    def update(self, **kwargs: Any) -> int:
        if is_suppressed():
            return super().update(**kwargs)
        self._for_write = True
        tables = rows.tables(self.model)
        # In no transaction of their own: SQLite refuses one that reads and then writes
        # if another has written meanwhile.
        pks = self._keys()
        before = [rows.groups_by_pk(table, pks, self.db) for table in tables]
        updated = super().update(**kwargs)
        after = [rows.groups_by_pk(table, pks, self.db) for table in tables]
        changes = [
            Change(rows.key(table, pk), was[pk], now[pk])
            for table, was, now in zip(tables, before, after, strict=True)
            for pk in pks
            if pk in was and pk in now
        ]
        publish_after_commit(changes, self.db)
        return updated

    update.alters_data = True  # type: ignore[attr-defined]  # not from templates

    def bulk_create(
        self,
        objs: Iterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> list[M]:
        created = super().bulk_create(
            objs, batch_size, ignore_conflicts, update_conflicts, *args, **kwargs
        )
        if not is_suppressed():
            changes = [self._created(row, update_conflicts) for row in created]
            publish_after_commit(changes, self.db)
        for row in created:
            rows.note_stored(row)
        return created

    def bulk_update(
        self, objs: Iterable[M], fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> int:
        given, names = tuple(objs), tuple(fields)
        tables = rows.tables(self.model)
        before = [[rows.stored_groups(row, table) for table in tables] for row in given]
        with suppress_events():
            updated = super().bulk_update(given, names, *args, **kwargs)
        changes = [
            change
            for row, was in zip(given, before, strict=True)
            for change in rows.saved(row, was, names)
        ]
        if not is_suppressed():
            publish_after_commit(changes, self.db)
        return updated

    def _keys(self) -> list[Any]:
        """Return the primary keys of the rows that an update is about."""
        found: Any = self.all()
        # Which an update ignores.
        found.query.select_for_update = False
        found.query.distinct, found.query.distinct_fields = False, ()
        return list(found.values_list("pk", flat=True))

    def _created(self, row: M, may_exist: bool) -> Change:
        now = rows.groups(row)
        # Nobody says which of them were there before: their lists fetch, and they do.
        was = Groups(now.instance, ()) if may_exist and now.instance else None
        return Change(rows.key(self.model, row.pk), was, now)


ReactiveManager = models.Manager.from_queryset(ReactiveQuerySet)
