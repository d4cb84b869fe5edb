"""Fills the demo's tables."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.management.base import BaseCommand

from api.models import ApiKey
from project.demo.models import BreakingNews
from project.demo.visitors import STAFF

HEADLINES = [
    "Local bakery sells out before sunrise",
    "City library extends its opening hours",
    "Ferry service returns after winter break",
]


class Command(BaseCommand):
    help = "Fill the demo's tables, once: headlines, and with DEBUG a user of staff."

    def handle(self, *args: Any, **options: Any) -> None:
        if not BreakingNews.objects.exists():
            for title in HEADLINES:
                BreakingNews.objects.create(title=title)
        if settings.DEBUG:
            self._seed_staff()

    def _seed_staff(self) -> None:
        user, is_new = User.objects.get_or_create(
            username=STAFF, defaults={"is_staff": True}
        )
        if is_new:
            user.set_password(STAFF)
            user.save()
        if user.is_staff:
            app = ApiKey._meta.app_label
            rights = Permission.objects.filter(content_type__app_label=app)
            user.user_permissions.add(*rights)
            self.stdout.write(
                f"Staff sees who is online: /staff/, name {STAFF}, password {STAFF}; "
                "and makes API keys: /admin/."
            )
