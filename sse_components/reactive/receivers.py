"""Django's signals of each reactive model, as changes to its rows."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from django.db.models import ManyToManyField, Model
from django.db.models.signals import (
    class_prepared,
    m2m_changed,
    post_save,
    pre_delete,
    pre_save,
)

from sse_components.reactive import rows
from sse_components.reactive.base import ReactiveModel
from sse_components.reactive.changes import Change, Groups
from sse_components.reactive.commits import publish_after_commit
from sse_components.reactive.suppression import is_suppressed

_BEFORE = "_sse_before"


def connect() -> None:
    """Follow every reactive model that is defined from now on."""
    class_prepared.connect(_follow)


def _follow(sender: type[Model], **kwargs: Any) -> None:
    if not issubclass(sender, ReactiveModel):
        return
    pre_save.connect(_before_saving, sender)
    post_save.connect(_saved, sender)
    pre_delete.connect(_deleting, sender)
    wanted = getattr(sender.Reactive, "m2m", ())
    for field in sender._meta.local_many_to_many:
        if field.name in wanted:
            receiver = partial(_related, field)
            m2m_changed.connect(receiver, _through(field), weak=False)


def _through(field: ManyToManyField[Any, Any]) -> type[Model] | str:
    """Return the table between; its name if it isn't defined yet."""
    through: type[Model] | str = field.remote_field.through  # type: ignore[assignment]  # stubs
    if isinstance(through, str) and "." not in through:
        return f"{field.model._meta.app_label}.{through}"
    return through


def _before_saving(instance: ReactiveModel, raw: bool, **kwargs: Any) -> None:
    if raw or is_suppressed() or instance._state.adding:
        return
    tables = rows.tables(type(instance))
    vars(instance)[_BEFORE] = [rows.stored_groups(instance, one) for one in tables]


def _saved(
    instance: ReactiveModel,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    before: list[Groups] | None = vars(instance).pop(_BEFORE, None)
    if raw or is_suppressed():
        rows.note_stored(instance, update_fields)
        return
    if before is None and not created:  # made by hand, so nobody knows where it was
        before = [rows.groups(instance, one) for one in rows.tables(type(instance))]
    changes = rows.saved(instance, None if created else before, update_fields)
    publish_after_commit(changes, using)


def _deleting(instance: ReactiveModel, using: str, **kwargs: Any) -> None:
    # Before, as long as there is what its groups may depend on. Of a row's other
    # tables Django tells by themselves.
    if is_suppressed():
        return
    table = rows.tables(type(instance))[0]
    before = rows.stored_groups(instance, table)
    key = rows.key(table, instance.pk)
    publish_after_commit([Change(key, before, None)], using)


def _related(
    field: ManyToManyField[Any, Any],
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: set[Any] | None,
    using: str,
    **kwargs: Any,
) -> None:
    if is_suppressed() or pk_set == set():
        return
    done = action.startswith("post_")
    model: Any = field.model  # reactive, or it wouldn't be followed
    pks: list[Any] = []
    if not reverse and done:
        pks = [instance.pk]
        if field.remote_field.symmetrical:
            pks += pk_set or ()
    elif reverse and done:
        pks = list(pk_set or ())
    elif action == "pre_clear" and (reverse or field.remote_field.symmetrical):
        # Afterwards nobody knows them.
        others = model._base_manager.using(using).filter(**{field.name: instance.pk})
        pks = list(others.values_list("pk", flat=True))
    _changed(model, pks, using)


def _changed(model: type[ReactiveModel], pks: list[Any], using: str) -> None:
    if not pks:
        return
    changes = [
        Change(rows.key(table, pk), now, now)
        for table in rows.tables(model)
        for pk, now in rows.groups_by_pk(table, pks, using).items()
    ]
    publish_after_commit(changes, using)
