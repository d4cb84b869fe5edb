"""API keys: what each may do, and the secrets by which it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Final, Literal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from sse_components.events import check_pattern
from sse_components.groups import is_reserved, wire_name

from .access import EVERYTHING, SCOPES
from .keys import PREFIX_LENGTH, new_key

State = Literal["valid", "expired", "revoked"]


class ApiKey(models.Model):
    """An external system: what it may do, and with which groups."""

    name = models.CharField(max_length=100, unique=True)
    scopes = models.JSONField(
        default=list, help_text="Of publish, read, subscribe and manage."
    )
    patterns = models.JSONField(
        "groups",
        default=list,
        help_text="Groups, or patterns of them: * is a segment, a last ** several. "
        "Groups of users and of presence are named in full.",
    )
    rate = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Requests a second that each process takes; 0 is no limit. "
        "Empty: as the setting SSE_API_RATE says.",
    )
    created_at = models.DateTimeField("created", auto_now_add=True)
    expires_at = models.DateTimeField("expires", null=True, blank=True)
    revoked_at = models.DateTimeField("revoked", null=True, editable=False)

    class Meta:
        verbose_name = "API key"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it, but not that it isn't revoked: it may have been, and is for good."""
        if not self._state.adding and self.revoked_at is None:
            every = {one.name for one in self._meta.concrete_fields} - {"id"}
            given = kwargs.get("update_fields")
            fields = every if given is None else set(given)
            kwargs["update_fields"] = fields - {"revoked_at"}
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Check what the database doesn't; raises `ValidationError`."""
        faults: dict[str, list[ValidationError]] = {}
        for field, check in (("scopes", _check_scope), ("patterns", _check_pattern)):
            given = getattr(self, field)
            if found := _faults(given, check):
                faults[field] = found
            else:
                setattr(self, field, list(dict.fromkeys(given)))
        if self.rate is not None and not isfinite(self.rate):
            faults["rate"] = [ValidationError("This is no number.")]
        if faults:
            raise ValidationError(faults)

    @property
    def identity(self) -> str:
        """By what it is known to other processes, whatever it is called."""
        return str(self.pk)

    @property
    def state(self) -> State:
        """What has become of it."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if _is_past(self.expires_at) else "valid"

    @property
    def is_valid(self) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.state == "valid"

    @property
    def prefixes(self) -> list[str]:
        """Of the secrets that haven't ended, the newest first."""
        secrets = self.secrets.all()
        return [one.prefix for one in secrets if not _is_past(one.expires_at)]

    @property
    def last_used_at(self) -> datetime | None:
        """When any of its secrets was used last, to about a minute."""
        used = [one.last_used_at for one in self.secrets.all() if one.last_used_at]
        return max(used, default=None)

    @sensitive_variables()
    def issue(self) -> str:
        """Return a new secret of it, as the key's text, which is shown this once.

        Raises `ValidationError` if it is revoked.
        """
        if self.revoked_at is not None:
            raise ValidationError(f"{self.name} is revoked, for good.")
        new = new_key()
        self.secrets.create(prefix=new.prefix, digest=new.digest)
        return new.text

    def rotate(self, overlap: timedelta) -> str:
        """Issue a secret; the ones before it are taken so much longer, and no more.

        Raises `ValidationError` if it is revoked.
        """
        end = timezone.now() + overlap
        using = self._state.db
        with transaction.atomic(using=using):
            # One after another, and none after it was revoked elsewhere.
            locked = ApiKey.objects.select_for_update()
            self.refresh_from_db(using, ["revoked_at"], from_queryset=locked)
            longer = models.Q(expires_at=None) | models.Q(expires_at__gt=end)
            for secret in self.secrets.filter(longer):
                secret.expires_at = end
                secret.save(update_fields=["expires_at"])
            return self.issue()

    def revoke(self) -> None:
        """Have it refused from now on, by every process within a second, for good."""
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save(update_fields=["revoked_at"])


class Secret(models.Model):
    """By what a key is known: one, and during a rotation the one before it."""

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="secrets")
    prefix = models.CharField(max_length=PREFIX_LENGTH, unique=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField("created", auto_now_add=True)
    expires_at = models.DateTimeField("expires", null=True)
    last_used_at = models.DateTimeField("last used", null=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.prefix


def _is_past(moment: datetime | None) -> bool:
    return moment is not None and moment <= timezone.now()


_NOTHING: Final = "At least one is needed."


def _faults(given: Any, check: Callable[[str], None]) -> list[ValidationError]:
    if not isinstance(given, list) or not given:
        return [ValidationError(_NOTHING)]
    return [fault for one in given if (fault := _fault(one, check))]


def _fault(one: Any, check: Callable[[str], None]) -> ValidationError | None:
    try:
        check(one)
    except ValueError as error:
        return ValidationError(str(error))
    return None


def _check_scope(scope: str) -> None:
    if scope not in SCOPES:
        raise ValueError(f"{scope!r} is no scope: there are {_listed(SCOPES)}.")


def _check_pattern(pattern: str) -> None:
    check_pattern(pattern)
    if wire_name(pattern) != pattern:
        raise ValueError("A session is known here as session.h-…, never by its key.")
    if pattern != EVERYTHING and "*" in pattern and is_reserved(pattern):
        raise ValueError(f"{pattern} covers nothing: such groups are named in full.")


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}"
