"""What Django announces of visitors who lose their rights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_save, pre_save
from django.http import HttpRequest
from django.utils import timezone

from sse_components import revoking
from sse_components.components.page import page_of

_ROWS_ONLY = "django.contrib.sessions.backends.db"
_RIGHTS = {"is_active", "is_staff", "password"}


def connect() -> None:
    """Listen, for as long as the process lives."""
    if apps.is_installed("django.contrib.auth"):
        _connect_users()
    if sessions := _session_model():
        post_delete.connect(_after_a_session_was_deleted, sender=sessions)


def _connect_users() -> None:
    user_logged_out.connect(_logged_out)
    pre_save.connect(_before_a_user_is_saved)
    post_save.connect(_after_a_user_was_saved)
    for model in apps.get_models():  # each by itself: who hears all slows all deletes
        if issubclass(model, get_user_model()):
            post_delete.connect(_after_a_user_was_deleted, sender=model)


def _session_model() -> type[Model] | None:
    """Return the model of sessions, if they are rows."""
    if not apps.is_installed("django.contrib.sessions"):
        return None
    store = import_module(settings.SESSION_ENGINE).SessionStore
    get_model_class: Callable[[], type[Model]] | None = getattr(
        store, "get_model_class", None
    )
    return get_model_class() if get_model_class else None


def _logged_out(*, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    if request is not None and user is not None:  # else nobody was logged in
        page_of(request).log_out()


def _before_a_user_is_saved(
    *,
    sender: type[Model],
    instance: Any,
    using: str,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    """Find out whether a saved user loses what was granted: the row still knows."""
    if not issubclass(sender, get_user_model()):
        return
    instance.sse_loses_grants = False
    names = {field.name for field in sender._meta.concrete_fields} & _RIGHTS
    names -= instance.get_deferred_fields()
    if update_fields is not None:
        names &= set(update_fields)
    if not names or instance.pk is None:
        return
    rows = sender._base_manager.using(using).filter(pk=instance.pk)
    if before := rows.values(*names).first():
        instance.sse_loses_grants = _loses(before, instance)


def _loses(before: Mapping[str, Any], user: Any) -> bool:
    flags = _RIGHTS - {"password"}
    if any(before.get(flag, False) and not getattr(user, flag) for flag in flags):
        return True
    return "password" in before and before["password"] != user.password


def _after_a_user_was_saved(*, instance: Any, using: str, **kwargs: Any) -> None:
    if getattr(instance, "sse_loses_grants", False):
        instance.sse_loses_grants = False
        _once_committed(using, partial(revoking.revoke_user, instance.pk))


def _after_a_user_was_deleted(*, instance: Any, using: str, **kwargs: Any) -> None:
    _once_committed(using, partial(revoking.revoke_user, instance.pk))


def _after_a_session_was_deleted(*, instance: Any, using: str, **kwargs: Any) -> None:
    if instance.expire_date > timezone.now():  # clearing old ones is no news
        # `cached_db` deletes its copy later, and a renewal would find that one alive.
        is_gone = settings.SESSION_ENGINE == _ROWS_ONLY
        revoke = partial(revoking.revoke_session, instance.session_key, is_gone=is_gone)
        _once_committed(using, revoke)


def _once_committed(using: str, action: Callable[[], None]) -> None:
    transaction.on_commit(action, using=using, robust=True)
