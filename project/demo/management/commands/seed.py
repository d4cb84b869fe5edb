"""Fills the demo's table."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from project.demo.models import BreakingNews

HEADLINES = [
    "Local bakery sells out before sunrise",
    "City library extends its opening hours",
    "Ferry service returns after winter break",
]


class Command(BaseCommand):
    help = "Fill the demo's table with headlines, once."

    def handle(self, *args: Any, **options: Any) -> None:
        if not BreakingNews.objects.exists():
            for title in HEADLINES:
                BreakingNews.objects.create(title=title)
