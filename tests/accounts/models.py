"""The user model: its primary key is no number."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class Member(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=uuid4)
    username = models.CharField(max_length=100, unique=True)
    is_active = models.BooleanField(default=True)

    objects = BaseUserManager["Member"]()

    USERNAME_FIELD = "username"

    def __str__(self) -> str:
        return self.username
