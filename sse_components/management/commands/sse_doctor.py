"""`manage.py sse_doctor`: what keeps streams from working, and what cures it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sse_components.doctor import examination
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, Level

KEY = "SSE_DOCTOR_KEY"
"""The variable that an API key is read from: what is an argument, others can see."""


class Command(BaseCommand):
    help = "Look for what keeps streams from working, and say what cures it."
    requires_system_checks: list[str] = []  # it tells what they say

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url",
            help="Where browsers reach the site: a stream is opened there too.",
        )
        parser.add_argument(
            "--key",
            action="store_true",
            dest="has_key",
            help="Publish the event that is tried over the REST API, with the API key "
            f"in {KEY}; without that variable you are asked for it.",
        )
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(
        self,
        *args: Any,
        url: str | None = None,
        has_key: bool = False,
        as_json: bool = False,
        **options: Any,
    ) -> None:
        try:
            address = Address.of(url) if url else None
        except ValueError as fault:
            raise CommandError(str(fault)) from None
        key = _key(address) if has_key else ""
        findings = examination.findings(address, key)
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


def _key(address: Address | None) -> str:
    if address is None:
        raise CommandError("--key is for --url: there the event is published.")
    if not address.is_private:
        raise CommandError(
            "A key is sent over https, or to this machine, and not else."
        )
    key = os.environ.get(KEY, "")
    if not key and sys.stdin.isatty():
        key = getpass("API key: ")
    if not (key := key.strip()).isascii() or not key.isprintable() or not key:
        raise CommandError(f"{KEY} has no API key in it.")
    return key
