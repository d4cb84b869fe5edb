"""A row of a reactive model: the groups it is in, and what may travel of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from django.conf import settings
from django.core.exceptions import ValidationError
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
_UNKNOWN: Final = object()

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
    """Whether it has to be known what was stored in its rows before."""
    return any(
        table.has_own_groups()
        or 0 < len(_travelling(table)) < len(table._meta.concrete_fields)
        for table in (model, *tables(model))
    )


def default_collection(model: type[ReactiveModel]) -> str:
    """Return `app_label.model_name`, of a proxy its concrete model's."""
    return _concrete(model)._meta.label_lower


def default_instance(model: type[ReactiveModel], pk: object) -> str:
    """Return `app_label.model_name.pk`."""
    return f"{default_collection(model)}.{segment(pk)}"


def key(model: type[ReactiveModel], pk: Any) -> Row:
    """Return which row it is."""
    found = _plain(model, pk)
    return Row(default_collection(model), found, object() if pk is None else None)


def groups(row: ReactiveModel, table: type[ReactiveModel] | None = None) -> Groups:
    """Return where a row is known, as a row of one of its tables."""
    model = type(row)
    if table is not None and table is not model._meta.concrete_model:
        model = table
    usual = _default(model, row.pk)
    if not model.has_own_groups():
        return usual
    instance, collections = usual.instance, usual.collections
    if model.has_own_instance_group() and row.pk is not None:
        instance = next(_usable(model, _listed(model.group_instance(row))), None)
    if model.has_own_collection_groups():
        collections = tuple(_usable(model, _listed(model.group_collection(row))))
    return Groups(instance, collections)


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


def note_read(
    row: ReactiveModel, names: Collection[str], values: Collection[Any]
) -> None:
    """Remember what was read for a row, if that has to be known."""
    if _remembers(type(row)):
        vars(row)[_STORED] = (names, values)  # what most rows never need takes no time


def note_stored(row: ReactiveModel, names: Collection[str] | None = None) -> None:
    """Remember what the database has of a row now, if that has to be known.

    `names` are the fields that were stored, if not all.
    """
    if not _remembers(type(row)):
        return
    stored = dict(_stored(row) or {})  # a copy of the row has the old one
    for field in _columns(row, names):
        value = vars(row).get(field.attname)
        if field.attname in vars(row) and not hasattr(value, "resolve_expression"):
            stored[field.attname] = value
        else:
            stored.pop(field.attname, None)
    vars(row)[_STORED] = stored


def stored_groups(
    row: ReactiveModel, table: type[ReactiveModel] | None = None
) -> Groups:
    """Return where a row was known as the database has it; as it is, if unknown."""
    stored = _stored(row)
    columns = [field.attname for field in row._meta.concrete_fields]
    present = {name: vars(row)[name] for name in columns if name in vars(row)}
    if not stored or present == stored or not _is_of(row, stored):
        return groups(row, table)
    names = [name for name in columns if name in stored]
    values = [stored[name] for name in names]
    return groups(type(row).from_db(row._state.db, names, values), table)


def _stored(row: ReactiveModel) -> dict[str, Any] | None:
    found = vars(row).get(_STORED)
    if isinstance(found, tuple):
        found = vars(row)[_STORED] = dict(zip(*found, strict=True))
    return cast("dict[str, Any] | None", found)


def _is_of(row: ReactiveModel, stored: dict[str, Any]) -> bool:
    """Whether what was stored is this row's, and not one's that it was copied from."""
    pk = row._meta.pk.attname
    return pk not in stored or bool(stored[pk] == vars(row).get(pk))


def _columns(
    row: ReactiveModel, names: Collection[str] | None
) -> Iterator[Field[Any, Any]]:
    """Return the fields of some names, or all."""
    for field in row._meta.concrete_fields:
        if names is None or not {field.name, field.attname}.isdisjoint(names):
            yield field


def data(
    row: ReactiveModel,
    table: type[ReactiveModel],
    names: Collection[str] | None = None,
) -> tuple[dict[str, Any], bool]:
    """Return what may travel of a row, and whether that is all there is to know.

    `names` are the fields that were stored, if not all: what the others have in
    memory isn't true yet.
    """
    travelling = _travelling(table)
    values: dict[str, Any] = {}
    complete = not _else_changed(row, travelling, names)
    for field in _columns(row, names):
        if field not in travelling:
            continue
        value = field.value_from_object(row)
        if field.generated or hasattr(value, "resolve_expression"):
            complete = False  # only the database knows it
            continue
        values[field.name] = value.name if isinstance(value, FieldFile) else value
    if not values:
        return {}, False
    return _as_json(table, {"id": row.pk, **values}), complete


def saved(
    row: ReactiveModel,
    before: Sequence[Groups] | None,
    names: Collection[str] | None = None,
) -> list[Change]:
    """Note that a row has been stored, and return the change in each of its tables.

    It is new if `before` is None.
    """
    own = tables(type(row))
    news = [({}, False) if before is None else data(row, one, names) for one in own]
    note_stored(row, names)
    were: Sequence[Groups | None] = before or [None] * len(own)
    return [
        Change(key(table, row.pk), was, stored_groups(row, table), *told)
        for table, was, told in zip(own, were, news, strict=True)
    ]


def _else_changed(
    row: ReactiveModel,
    travelling: Collection[Field[Any, Any]],
    names: Collection[str] | None,
) -> bool:
    """Whether a column has changed, or may have, that doesn't travel."""
    stored = _stored(row) or {}
    return any(
        field not in travelling
        and not field.primary_key
        and field.attname in vars(row)
        and (
            field.generated
            or not _is_same(
                vars(row)[field.attname], stored.get(field.attname, _UNKNOWN)
            )
        )
        for field in _columns(row, names)
    )


def _is_same(value: object, stored: object) -> bool:
    # A list or a dict may have been changed in its place.
    return not isinstance(value, list | dict | set) and bool(value == stored)


@cache
def _travelling(model: type[ReactiveModel]) -> tuple[Field[Any, Any], ...]:
    names = getattr(model.Reactive, "fields", ())
    return tuple(
        field
        for field in model._meta.concrete_fields
        if names == ALL or field.name in names
    )


def _as_json(model: type[ReactiveModel], values: dict[str, Any]) -> dict[str, Any]:
    """Return values as they are now, whatever becomes of a list until the commit."""
    try:
        found: dict[str, Any] = json.loads(wire.dumps(values, encode))
    except InvalidPayload as error:
        logger.error("The data of a %s doesn't travel: %s", model._meta.label, error)
        return {}
    return found


def _plain(model: type[ReactiveModel], pk: Any) -> Any:
    """Return a primary key as the database has it, of which there may be a text."""
    try:
        return model._meta.pk.to_python(pk) if isinstance(pk, str) else pk
    except ValidationError:
        return pk


def _listed(given: object) -> Sequence[Any]:
    if given is None:
        return ()
    return given if isinstance(given, list | tuple) else [given]


def _default(model: type[ReactiveModel], pk: object) -> Groups:
    collections = tuple(_usable(model, [default_collection(model)]))
    if pk is None:
        return Groups(None, collections)
    return Groups(
        next(_usable(model, [default_instance(model, _plain(model, pk))]), None),
        collections,
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
