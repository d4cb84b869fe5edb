"""Makes API keys for other systems, lists them, renews them, ends them."""

from __future__ import annotations

import json
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from math import inf, nan
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.forms.utils import from_current_timezone
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from sse_components import conf, runtime

from ...access import SCOPES
from ...models import ApiKey

_EMBEDDED: Final = (
    "The server isn't told, as its broker is the embedded one: it refuses the key, but "
    "streams that are open end in 19 minutes at most, and grants that the key has "
    "issued when they expire. Start it anew to end all at once."
)
_OVERLAP: Final = "24h"
_DURATION: Final = re.compile(r"(\d+)([mhd])|0")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    help = "Make API keys for other systems, list them, rotate them, revoke them."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(required=True, metavar="COMMAND")
        self._add_create(commands.add_parser("create", help="Print a new key."))
        rotate = commands.add_parser("rotate", help="Print a new one for a key.")
        rotate.add_argument("name")
        rotate.add_argument(
            "--overlap",
            metavar="LENGTH",
            type=_duration,
            default=_OVERLAP,
            help="How long the one before it is taken still: 30m, 12h, 7d, or 0. "
            f"{_OVERLAP}, if not given.",
        )
        rotate.set_defaults(run=self._rotate)
        revoke = commands.add_parser("revoke", help="Have a key refused, for good.")
        revoke.add_argument("name")
        revoke.set_defaults(run=self._revoke)
        listing = commands.add_parser("list", help="Show what keys there are.")
        listing.add_argument("--json", action="store_true", dest="as_json")
        listing.set_defaults(run=self._list)

    def _add_create(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--scope",
            dest="scopes",
            choices=SCOPES,
            action="append",
            required=True,
            help="What it may do; once for each.",
        )
        parser.add_argument(
            "--group",
            dest="patterns",
            metavar="GROUP",
            action="append",
            required=True,
            help="A group, or a pattern of them: * is a segment, a last ** several; "
            "once for each.",
        )
        parser.add_argument(
            "--expires",
            dest="expires_at",
            metavar="WHEN",
            type=_moment,
            help="When it ends: in 90d, 12h or 30m, with a day, 2027-01-31, or at a "
            "time, 2027-01-31T18:00. Never, if not given.",
        )
        parser.add_argument(
            "--rate",
            type=_rate,
            help="Requests a second that each process takes, 0 for no limit; as the "
            "setting SSE_API_RATE says, if not given.",
        )
        parser.set_defaults(run=self._create)

    def handle(self, *args: Any, run: Callable[..., None], **options: Any) -> None:
        try:
            run(**options)
        except ValidationError as error:
            raise CommandError(_sentence(error)) from error

    def _create(
        self,
        name: str,
        scopes: list[str],
        patterns: list[str],
        expires_at: datetime | None,
        rate: float | None,
        **options: Any,
    ) -> None:
        key = ApiKey(
            name=name.strip(),
            scopes=scopes,
            patterns=patterns,
            expires_at=expires_at,
            rate=rate,
        )
        key.full_clean()
        if not key.is_valid:
            raise CommandError("--expires: that is over.")
        with transaction.atomic():
            key.save()
            text = key.issue()
        end = f" It expires {_when(expires_at)}." if expires_at else ""
        self._show(text, f"{key} is shown this once, and kept nowhere.{end}")

    def _rotate(self, name: str, overlap: timedelta, **options: Any) -> None:
        key = _named(name)
        if key.state == "expired":
            raise CommandError(f"{key} expired {_when(key.expires_at)}.")
        end = timezone.now() + overlap
        text = key.rotate(overlap)
        before = f"taken until {_when(end)}" if overlap else "refused from now on"
        note = f"{key} is shown this once, and kept nowhere. "
        self._show(text, f"{note}The key before it is {before}.")

    def _revoke(self, name: str, **options: Any) -> None:
        key = _named(name)
        if key.revoked_at is not None:
            self.stdout.write(f"{key} was revoked {_when(key.revoked_at)}.")
            return
        key.revoke()
        self.stdout.write(f"{key} is revoked: within a second nobody takes it.")
        if runtime.settings().broker_url == conf.EMBEDDED:
            self.stderr.write(_EMBEDDED, str)

    def _list(self, as_json: bool, **options: Any) -> None:
        rows = [_row(key) for key in ApiKey.objects.prefetch_related("secrets")]
        if as_json:
            text = json.dumps(rows, indent=2, default=datetime.isoformat)
            self.stdout.write(text)
        elif rows:
            for line in _table(rows):
                self.stdout.write(line)
        else:
            self.stderr.write("There are no keys.", str)

    def _show(self, text: str, note: str) -> None:
        """Print a key where a shell takes it from, and a note where a person reads."""
        self.stderr.write(note, str)
        self.stdout.write(text)


def _duration(text: str) -> timedelta:
    if not (match := _DURATION.fullmatch(text)):
        raise ArgumentTypeError(f"{text!r} is none of 90d, 12h, 30m and 0.")
    number, unit = match.groups()
    try:
        length = timedelta(**{_UNITS[unit]: int(number)}) if unit else timedelta()
        timezone.now() + length
    except (OverflowError, ValueError) as error:
        raise ArgumentTypeError(f"{text!r} is too long.") from error
    return length


def _moment(text: str) -> datetime:
    if _DURATION.fullmatch(text):
        return timezone.now() + _duration(text)
    try:
        if day := parse_date(text):
            midnight = datetime(day.year, day.month, day.day)
            return from_current_timezone(midnight + timedelta(days=1))
        if given := parse_datetime(text):
            return from_current_timezone(given)
    except (OverflowError, ValueError, ValidationError):
        pass
    raise ArgumentTypeError(
        f"{text!r} is no time: 90d, 12h, 30m, a day as 2027-01-31 or a time of it as "
        "2027-01-31T18:00."
    )


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = nan
    if not 0 <= number < inf:
        raise ArgumentTypeError(f"{text!r} is no number of requests a second.")
    return number


def _named(name: str) -> ApiKey:
    try:
        return ApiKey.objects.get(name=name.strip())
    except ApiKey.DoesNotExist:
        raise CommandError(f"There is no key called {name!r}.") from None


def _sentence(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    faults = error.message_dict
    if "patterns" in faults:
        faults["--group"] = faults.pop("patterns")
    return " ".join(f"{field}: {' '.join(said)}" for field, said in faults.items())


def _row(key: ApiKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "prefixes": key.prefixes,
        "scopes": key.scopes,
        "groups": key.patterns,
        "rate": key.rate,
        "expires": key.expires_at,
        "last_used": key.last_used_at,
        "state": key.state,
    }


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    titles = [title.replace("_", " ").upper() for title in rows[0]]
    lines = [titles, *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = zip(line, widths, strict=True)
        yield "  ".join(cell.ljust(width) for cell, width in cells).rstrip()


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return _when(value)
        case float():
            return f"{value:g}"
        case str():
            return value
    return ",".join(value)


def _when(moment: datetime | None) -> str:
    assert moment
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return f"{local:%Y-%m-%d %H:%M %Z}".rstrip()
