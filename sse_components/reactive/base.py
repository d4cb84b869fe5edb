"""The class that a reactive model inherits from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Literal, Self

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import FieldDoesNotExist
from django.db import models

from sse_components.groups import is_reserved
from sse_components.reactive import rows
from sse_components.reactive.querysets import ReactiveManager, ReactiveQuerySet


class ReactiveModel(models.Model):
    """A model whose rows tell the components that show them what becomes of them.

    When the transaction commits, a new row is published to its collection group
    `app.model` (`component.created`), a changed one to its instance group
    `app.model.pk` (`component.data_changed`), a deleted one to both
    (`component.removed`). A broker that is away fails no write: what it misses is made
    good when it is back. See `docs/models.md`.
    """

    objects = ReactiveManager()

    class Meta:
        abstract = True

    class Reactive:
        """What of a row travels, and what else counts as a change to it."""

        fields: ClassVar[Sequence[str] | Literal["__all__"]] = ()
        """Fields whose values go to every browser of the instance group.

        Without any a change carries no data, and components fetch their HTML.
        """
        m2m: ClassVar[Sequence[str]] = ()
        """Many-to-many fields: adding to and removing from them is a change."""

    def group_instance(self) -> str | None:
        """Return the group of the components that show this row; None if there is none.

        May depend on the row.
        """
        return rows.default_instance(type(self), self.pk)

    def group_collection(self) -> str | Sequence[str] | None:
        """Return the groups of the lists that this row is in.

        May depend on the row: one that moves from a list to another is removed from the
        one and created in the other.
        """
        return rows.default_collection(type(self))

    @classmethod
    def has_own_groups(cls) -> bool:
        """Whether groups have to be asked for, row by row."""
        return cls.has_own_instance_group() or cls.has_own_collection_groups()

    @classmethod
    def has_own_instance_group(cls) -> bool:
        """Whether the group of a row isn't the usual one."""
        return cls.group_instance is not ReactiveModel.group_instance

    @classmethod
    def has_own_collection_groups(cls) -> bool:
        """Whether the groups of its lists aren't the usual one."""
        return cls.group_collection is not ReactiveModel.group_collection

    @classmethod
    def from_db(
        cls,
        db: str | None,
        field_names: Collection[str],
        values: Collection[Any],
        **kwargs: Any,
    ) -> Self:
        row = super().from_db(db, field_names, values, **kwargs)
        rows.note_read(row, field_names, values)
        return row

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[Any] | None = None,
    ) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, from_queryset)
        rows.note_stored(self, names)

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        return [*super().check(**kwargs), *_faults(cls)]


def _faults(model: type[ReactiveModel]) -> Iterator[CheckMessage]:
    """Find what is wrong with how a model is reactive."""
    fields = getattr(model.Reactive, "fields", ())
    if isinstance(fields, str) and fields != rows.ALL:
        yield Error(
            f"Reactive.fields is {fields!r}.",
            hint=f"Write [{fields!r}], or {rows.ALL!r} for all of them.",
            obj=model,
            id="sse_components.E020",
        )
    elif fields != rows.ALL:
        known = {field.name for field in model._meta.concrete_fields}
        for name in fields:
            if name not in known:
                yield Error(
                    f"Reactive.fields names {name!r}, which is no field with a column.",
                    hint=f"There are {', '.join(sorted(known))}.",
                    obj=model,
                    id="sse_components.E021",
                )
    for name in getattr(model.Reactive, "m2m", ()):
        if not _is_m2m(model, name):
            yield Error(
                f"Reactive.m2m names {name!r}, which is no many-to-many field.",
                obj=model,
                id="sse_components.E022",
            )
    if not model.has_own_groups() and is_reserved(rows.default_instance(model, 0)):
        yield Error(
            f"The groups {rows.default_instance(model, '…')} are the users' own.",
            hint="Have group_instance() return another one, such as f'people.{pk}'.",
            obj=model,
            id="sse_components.E023",
        )
    if not isinstance(model._default_manager.all(), ReactiveQuerySet):
        yield Warning(
            "Its manager publishes no update(), bulk_create() and bulk_update().",
            hint="Inherit its query set from sse_components.models.ReactiveQuerySet.",
            obj=model,
            id="sse_components.W024",
        )


def _is_m2m(model: type[ReactiveModel], name: str) -> bool:
    try:
        return model._meta.get_field(name) in model._meta.many_to_many
    except FieldDoesNotExist:
        return False
