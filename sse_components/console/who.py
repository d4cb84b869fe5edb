"""Users as people know them: by name, of whatever model the project has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q

FOUND: Final = 50
"""Users that a search returns."""


def names_of(pks: Iterable[str]) -> Mapping[str, str]:
    """Return the names of users who are in the database, by primary keys as text."""
    keys = {key: pk for pk in set(pks) if (key := _key(pk)) is not None}
    users = get_user_model()._default_manager.in_bulk(list(keys))
    return {keys[key]: user.get_username() for key, user in users.items()}


def search(text: str) -> Sequence[Any]:
    """Return the users who have a text in their name, or as their primary key."""
    model, text = get_user_model(), _clean(text)
    wanted = Q(**{f"{model.USERNAME_FIELD}__icontains": text})
    if (key := _key(text)) is not None:
        wanted |= Q(pk=key)
    found = model._default_manager.filter(wanted)
    return list(found.order_by(model.USERNAME_FIELD)[:FOUND])


def primary_key(text: str) -> str:
    """Return the primary key of the user of a name, or with that key, as text.

    Raises `ValueError` if there can't be any.
    """
    model, text = get_user_model(), _clean(text)
    named = model._default_manager.filter(**{model.USERNAME_FIELD: text}).first()
    if named is not None:
        return str(named.pk)
    if (key := _key(text)) is None:
        raise ValueError(f"There is no user {text[:80]!r}.")
    return str(key)


def _key(text: str) -> Any:
    """Return a text as a primary key, None if it can't be one."""
    try:
        return get_user_model()._meta.pk.clean(_clean(text), None)
    except ValidationError:
        return None


def _clean(text: str) -> str:
    return text.replace("\0", "")  # which PostgreSQL can't have in a text
