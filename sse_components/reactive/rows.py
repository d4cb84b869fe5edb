"""A row of a reactive model: the groups it is in, and what may travel of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from django.conf import settings
from django.db.models import Field, Model
from django.db.models.fields.files import FieldFile

from sse_components import wire
from sse_components.errors import InvalidGroup, InvalidPayload
from sse_components.events import check_group, segment
from sse_components.groups import is_reserved
from sse_components.operations import encode
from sse_components.reactive.changes import Change, Groups, Row

if TYPE_CHECKING:
    from sse_components.reactive.base import ReactiveModel

ALL: Final = "__all__"
CHUNK: Final = 500
"""Rows of one query: databases limit its parameters."""

_STORED: Final = "_sse_stored"

logger = logging.getLogger("sse_components.models")


@cache
def tables(model: type[ReactiveModel]) -> tuple[type[ReactiveModel], ...]:
    """Return the reactive models that a row of this one has a row of, itself first.

    A proxy's is its concrete model's; with multi-table inheritance there are several.
    """
    own = _concrete(model)
    others = [_concrete(parent) for parent in own._meta.all_parents]
    reactive = [one for one in (own, *others) if hasattr(one, "group_collection")]
    return tuple(cast("dict[type[ReactiveModel], None]", dict.fromkeys(reactive)))


def _concrete(model: type[Model]) -> type[Model]:
    found = model._meta.concrete_model
    assert found, f"{model} is abstract"
    return found


@cache
def _remembers(model: type[ReactiveModel]) -> bool:
    """Whether the groups of its rows depend on what is stored in them."""
    return any(table.has_own_groups() for table in (model, *tables(model)))


def default_collection(model: type[ReactiveModel]) -> str:
    """Return `app_label.model_name`, of a proxy its concrete model's."""
    return _concrete(model)._meta.label_lower


def default_instance(model: type[ReactiveModel], pk: object) -> str:
    """Return `app_label.model_name.pk`."""
    return f"{default_collection(model)}.{segment(pk)}"


def key(model: type[ReactiveModel], pk: Hashable) -> Row:
    """Return which row it is."""
    return Row(default_collection(model), pk, object() if pk is None else None)


def groups(row: ReactiveModel, table: type[ReactiveModel] | None = None) -> Groups:
    """Return where a row is known, as a row of one of its tables."""
    model = type(row)
    if table is not None and table is not model._meta.concrete_model:
        model = table
    if not model.has_own_groups():
        return _default(model, row.pk)
    instance = model.group_instance(row)
    given = model.group_collection(row)
    collections = [given] if isinstance(given, str) else given or ()
    return Groups(
        next(_usable(model, [instance] if instance else []), None),
        tuple(_usable(model, collections)),
    )


def groups_by_pk(
    model: type[ReactiveModel], pks: Sequence[Any], using: str
) -> dict[Any, Groups]:
    """Return where rows are known; those that don't exist may be missing."""
    if not model.has_own_groups():
        return {pk: _default(model, pk) for pk in pks}
    found: dict[Any, Groups] = {}
    for start in range(0, len(pks), CHUNK):
        some = model._base_manager.using(using).filter(
            pk__in=pks[start : start + CHUNK]
        )
        found |= {row.pk: groups(row) for row in some}
    return found


def note_stored(row: ReactiveModel, names: Collection[str] | None = None) -> None:
    """Remember what the database has of a row, if its groups depend on that.

    `names` are the fields that were stored, if not all.
    """
    if not _remembers(type(row)):
        return
    stored = vars(row).setdefault(_STORED, {})
    for field in row._meta.concrete_fields:
        if names is not None and not {field.name, field.attname} & set(names):
            continue
        value = vars(row).get(field.attname)
        if field.attname in vars(row) and not hasattr(value, "resolve_expression"):
            stored[field.attname] = value
        else:
            stored.pop(field.attname, None)


def stored_groups(
    row: ReactiveModel, table: type[ReactiveModel] | None = None
) -> Groups:
    """Return where a row was known as the database has it; as it is, if unknown."""
    stored: dict[str, Any] | None = vars(row).get(_STORED)
    if not stored:
        return groups(row, table)
    columns = [field.attname for field in row._meta.concrete_fields]
    present = {name: vars(row)[name] for name in columns if name in vars(row)}
    if present == stored:
        return groups(row, table)
    names = [name for name in columns if name in stored]
    values = [stored[name] for name in names]
    return groups(type(row).from_db(row._state.db, names, values), table)


def data(
    row: ReactiveModel,
    table: type[ReactiveModel],
    names: Collection[str] | None = None,
) -> tuple[dict[str, Any], bool]:
    """Return what may travel of a row, and whether that is all there is to know.

    `names` are the fields that were stored, if not all: what the others have in
    memory isn't true yet.
    """
    values: dict[str, Any] = {}
    complete = True
    for field in _travelling(table):
        if names is not None and not {field.name, field.attname} & set(names):
            continue
        value = field.value_from_object(row)
        if hasattr(value, "resolve_expression"):  # only the database knows it
            complete = False
            continue
        values[field.name] = value.name if isinstance(value, FieldFile) else value
    if not values:
        return {}, False
    return _as_json(table, {"id": row.pk, **values}), complete


def saved(
    row: ReactiveModel,
    table: type[ReactiveModel],
    before: Groups | None,
    names: Collection[str] | None = None,
) -> Change:
    """Return the change of a row that has been stored, new if `before` is None.

    That it has been is noted already.
    """
    news, complete = ({}, False) if before is None else data(row, table, names)
    which = key(table, row.pk)
    after = stored_groups(row, table)
    return Change(which, before, after, news, complete and bool(news))


def _travelling(model: type[ReactiveModel]) -> Iterator[Field[Any, Any]]:
    names = getattr(model.Reactive, "fields", ())
    for field in model._meta.concrete_fields:
        if names == ALL or field.name in names:
            yield field


def _as_json(model: type[ReactiveModel], values: dict[str, Any]) -> dict[str, Any]:
    """Return values as they are now, whatever becomes of a list until the commit."""
    try:
        found: dict[str, Any] = json.loads(wire.dumps(values, encode))
    except InvalidPayload as error:
        logger.error("The data of a %s doesn't travel: %s", model._meta.label, error)
        return {}
    return found


def _default(model: type[ReactiveModel], pk: object) -> Groups:
    collections = tuple(_usable(model, [default_collection(model)]))
    if pk is None:
        return Groups(None, collections)
    return Groups(
        next(_usable(model, [default_instance(model, pk)]), None), collections
    )


def _usable(model: type[ReactiveModel], names: Iterable[str]) -> Iterator[str]:
    """Leave out what can't be published to: a write isn't the place to fail for it."""
    for name in names:
        try:
            check_group(name)
            if is_reserved(name):
                raise InvalidGroup(f"{name!r} is reserved: no model publishes to it.")
        except InvalidGroup as error:
            if settings.DEBUG:
                raise
            logger.error("A %s isn't published: %s", model._meta.label, error)
        else:
            yield name
