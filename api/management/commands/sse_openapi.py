"""`manage.py sse_openapi`: the API's document as a file, for generators and reviews."""

from __future__ import annotations

import json
from difflib import unified_diff
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...api import api

DIFF_LINES = 40


class Command(BaseCommand):
    help = "Export the API's OpenAPI document."

    def add_arguments(self, parser: CommandParser) -> None:
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--output", metavar="FILE", type=Path, help="Write it there."
        )
        where.add_argument(
            "--check",
            metavar="FILE",
            type=Path,
            help="Write nothing; fail with the difference if the file has another.",
        )

    def handle(
        self,
        *args: Any,
        output: Path | None = None,
        check: Path | None = None,
        **options: Any,
    ) -> None:
        text = json.dumps(api.get_openapi_schema(), indent=2, ensure_ascii=False) + "\n"
        try:
            if check:
                _compare(check, text)
            elif output:
                output.write_text(text, encoding="utf-8")
            else:
                self.stdout.write(text, ending="")
        except OSError as error:
            raise CommandError(str(error)) from None


def _compare(file: Path, text: str) -> None:
    """Raise `CommandError` if a file has another document."""
    lines = unified_diff(
        file.read_text(encoding="utf-8").splitlines(),
        text.splitlines(),
        str(file),
        "the API",
        lineterm="",
    )
    difference = list(lines)
    if not difference:
        return
    if (more := len(difference) - DIFF_LINES) > 0:
        difference[DIFF_LINES:] = [f"... and {more} lines more"]
    advice = f"{file} is out of date; sse_openapi --output {file} renews it."
    raise CommandError("\n".join([advice, *difference]))
