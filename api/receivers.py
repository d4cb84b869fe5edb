"""Tells all processes that a key has changed."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from sse_components.revoking import key_changed

from .keyring import keyring
from .models import ApiKey, Secret


@receiver(post_save, sender=ApiKey)
def key_saved(instance: ApiKey, created: bool, using: str, **kwargs: Any) -> None:
    """Have it be looked at anew; one without a secret opens nothing yet."""
    if not created:
        is_over = instance.revoked_at is not None
        _tell(instance.identity, using, is_over=is_over)


@receiver(post_delete, sender=ApiKey)
def key_deleted(instance: ApiKey, using: str, **kwargs: Any) -> None:
    """Have it be as if it had been revoked."""
    _tell(instance.identity, using, is_over=True)


@receiver(post_save, sender=Secret)
def secret_saved(instance: Secret, created: bool, using: str, **kwargs: Any) -> None:
    """Have a new one be known at once, and one that ends sooner end."""
    _tell(ApiKey(pk=instance.key_id).identity, using, is_new=created)


@receiver(post_delete, sender=Secret)
def secret_deleted(instance: Secret, using: str, **kwargs: Any) -> None:
    """Have it be as if it had ended."""
    _tell(ApiKey(pk=instance.key_id).identity, using)


def _tell(identity: str, using: str, **kind: bool) -> None:
    transaction.on_commit(keyring.forget, using=using, robust=True)
    key_changed(identity, using=using, **kind)
