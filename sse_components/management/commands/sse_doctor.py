"""`manage.py sse_doctor`: what keeps streams from working, and what cures it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sse_components.doctor import examination
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, Level


class Command(BaseCommand):
    help = "Look for what keeps streams from working, and say what cures it."
    requires_system_checks: list[str] = []  # it tells what they say

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url",
            help="Where browsers reach the site: a stream is opened there too.",
        )
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(
        self,
        *args: Any,
        url: str | None = None,
        as_json: bool = False,
        **options: Any,
    ) -> None:
        try:
            address = Address.of(url) if url else None
        except ValueError as fault:
            raise CommandError(str(fault)) from None
        findings = examination.findings(address)
        told = self._as_json(findings) if as_json else self._lines(findings)
        if any(one.level is Level.ERROR for one in told):
            sys.exit(1)

    def _lines(self, findings: Iterable[Finding]) -> list[Finding]:
        """Print each as soon as it is known: some take seconds."""
        styles = {
            Level.OK: self.style.SUCCESS,
            Level.WARNING: self.style.WARNING,
            Level.ERROR: self.style.ERROR,
        }
        told = []
        for finding in findings:
            self.stdout.write(str(finding), styles[finding.level])
            told.append(finding)
        return told

    def _as_json(self, findings: Iterable[Finding]) -> list[Finding]:
        told = list(findings)
        self.stdout.write(json.dumps([one.as_dict() for one in told], indent=2))
        return told
