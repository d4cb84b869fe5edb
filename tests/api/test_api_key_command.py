from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from api.keys import digest, prefix_of
from api.models import ApiKey
from sse_components import runtime
from tests import databases

pytestmark = pytest.mark.django_db
SHOP = ("create", "shop", "--scope", "publish", "--group", "news.**")
MINUTE = timedelta(minutes=1)


class Printed(NamedTuple):
    out: str
    """Where a shell reads."""
    note: str
    """Where a person reads too."""


def _run(*arguments: str) -> Printed:
    out, error = StringIO(), StringIO()
    call_command("sse_api_key", *arguments, stdout=out, stderr=error)
    return Printed(out.getvalue().rstrip("\n"), error.getvalue().rstrip("\n"))


def _refused(*arguments: str) -> str:
    """Return what is wrong with a command that changes nothing."""
    before = _everything()
    with pytest.raises(CommandError) as caught:
        _run(*arguments)
    assert _everything() == before
    said = str(caught.value)
    assert "\n" not in said
    return said


def _everything() -> list[object]:
    keys = ApiKey.objects.all()
    return [list(keys.values()), [list(key.secrets.values()) for key in keys]]


def _is_in(moment: datetime | None, length: timedelta) -> bool:
    assert moment
    return abs(moment - timezone.now() - length) < MINUTE


# A37
def test_a_new_key_is_printed_alone_and_kept_as_a_digest() -> None:
    printed = _run(
        *SHOP,
        "--scope",
        "read",
        "--group",
        "shop.*",
        "--expires",
        "90d",
        "--rate",
        "2.5",
    )
    key = ApiKey.objects.get()
    assert (key.name, key.rate) == ("shop", 2.5)
    assert key.scopes == ["publish", "read"]
    assert key.patterns == ["news.**", "shop.*"]
    assert _is_in(key.expires_at, timedelta(days=90))
    (secret,) = key.secrets.all()
    assert secret.prefix == prefix_of(printed.out)
    assert secret.digest == digest(printed.out)
    assert "shown this once" in printed.note
    assert f"{key.expires_at:%Y-%m-%d %H:%M} UTC" in printed.note
    assert printed.out not in printed.note


def test_what_is_not_given_is_left_open() -> None:
    assert "expires" not in _run(*SHOP).note
    key = ApiKey.objects.get()
    assert (key.expires_at, key.rate) == (None, None)


def test_a_shell_takes_the_key_from_the_output(tmp_path: Path) -> None:
    url = databases.unused_url(tmp_path)
    databases.make(url)
    environment = os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "MANAGE": f"{sys.executable} manage.py sse_api_key",
    }
    script = f'KEY="$($MANAGE {" ".join(map(repr, SHOP))})"; printf %s "$KEY"'
    try:
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=databases.ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        (row,) = json.loads(
            databases.manage(environment, "sse_api_key", "list", "--json")
        )
    finally:
        databases.drop(url)
    assert row["prefixes"] == [prefix_of(done.stdout)]
    assert "shown this once" in done.stderr


@pytest.mark.parametrize(
    ("given", "expires_at"),
    [
        ("2099-01-31", datetime(2099, 2, 1, tzinfo=UTC)),
        ("2099-01-31T18:00", datetime(2099, 1, 31, 18, tzinfo=UTC)),
        ("2099-01-31 18:00:30", datetime(2099, 1, 31, 18, 0, 30, tzinfo=UTC)),
        ("2099-01-31T18:00Z", datetime(2099, 1, 31, 18, tzinfo=UTC)),
        ("2099-01-31T18:00+02:00", datetime(2099, 1, 31, 16, tzinfo=UTC)),
    ],
)
def test_a_key_expires_with_a_day_or_at_a_time(
    given: str, expires_at: datetime
) -> None:
    _run(*SHOP, "--expires", given)
    assert ApiKey.objects.get().expires_at == expires_at


@pytest.mark.parametrize(
    ("given", "length"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
    ],
)
def test_lengths_are_in_minutes_hours_and_days(given: str, length: timedelta) -> None:
    _run(*SHOP, "--expires", given)
    assert _is_in(ApiKey.objects.get().expires_at, length)
    _run("rotate", "shop", "--overlap", given)
    assert _is_in(ApiKey.objects.get().secrets.all()[1].expires_at, length)


@pytest.mark.parametrize("option", ["--expires", "--overlap"])
@pytest.mark.parametrize(
    "given",
    ["", "soon", "5", "1w", "-1d", "1.5d", "99999999d", f"{'9' * 5000}d", "2h "],
)
def test_what_is_no_time_is_refused(option: str, given: str) -> None:
    _run(*SHOP[:1], "other", *SHOP[2:])
    command = SHOP if option == "--expires" else ("rotate", "other")
    assert option in _refused(*command, f"{option}={given}")


@pytest.mark.parametrize(
    "given", ["2099-02-30", "2099-01-31T25:00", "9999-12-31", "2099-01", "31.1.2099"]
)
def test_what_is_no_date_is_refused(given: str) -> None:
    assert "is no time" in _refused(*SHOP, "--expires", given)


@pytest.mark.parametrize("given", ["0", "2020-01-31", "2020-01-31T18:00Z"])
def test_a_key_is_not_made_when_it_is_over(given: str) -> None:
    assert "--expires" in _refused(*SHOP, "--expires", given)


@pytest.mark.parametrize("given", ["-1", "nan", "inf", "ten", ""])
def test_what_is_no_rate_is_refused(given: str) -> None:
    assert "no number of requests a second" in _refused(*SHOP, f"--rate={given}")


def test_what_is_wrong_with_a_key_is_said_of_its_option() -> None:
    said = _refused(*SHOP, "--group", "a..b", "--group", "auth.user.*")
    assert said.startswith("--group: 'a..b' is not a pattern")
    assert "auth.user.* covers nothing" in said
    assert "--scope" in _refused(*SHOP, "--scope", "write")
    assert "blank" in _refused("create", " ", *SHOP[2:])
    _run(*SHOP)
    assert _refused("create", " shop ", *SHOP[2:]).startswith("name: ")


@pytest.mark.parametrize("arguments", [SHOP[:4], (*SHOP[:2], *SHOP[4:]), (), ("x",)])
def test_what_is_missing_is_said(arguments: tuple[str, ...]) -> None:
    assert "required" in (said := _refused(*arguments)) or "choose from" in said


def test_a_rotation_prints_a_new_key_and_until_when_the_old_one_is_taken() -> None:
    first = _run(*SHOP)
    second = _run("rotate", "shop")
    key = ApiKey.objects.get()
    assert key.prefixes == [prefix_of(second.out), prefix_of(first.out)]
    new, former = key.secrets.all()
    assert new.digest == digest(second.out)
    assert _is_in(former.expires_at, timedelta(hours=24))
    assert f"taken until {former.expires_at:%Y-%m-%d %H:%M} UTC" in second.note


def test_without_an_overlap_the_old_key_is_refused_at_once() -> None:
    _run(*SHOP)
    printed = _run("rotate", "shop", "--overlap", "0")
    assert ApiKey.objects.get().prefixes == [prefix_of(printed.out)]
    assert "refused from now on" in printed.note


def test_a_key_that_is_over_is_not_rotated() -> None:
    _run(*SHOP)
    ApiKey.objects.update(expires_at=datetime(2020, 1, 31, tzinfo=UTC))
    assert _refused("rotate", "shop") == "shop expired 2020-01-31 00:00 UTC."
    _run("revoke", "shop")
    assert _refused("rotate", "shop") == "shop is revoked, for good."


@pytest.mark.parametrize(
    ("broker", "is_told"), [("memory://", False), ("redis://127.0.0.1:1/0", True)]
)
def test_who_revokes_beside_an_embedded_broker_knows_what_goes_on(
    settings: Settings, broker: str, is_told: bool
) -> None:
    settings.SSE_COMPONENTS = {"BROKER_URL": broker}
    _run(*SHOP)
    assert ("Start it anew" in _run("revoke", "shop").note) is not is_told
    runtime.reset()


def test_a_revoked_key_is_kept_and_not_revoked_twice() -> None:
    _run(*SHOP)
    assert "revoked" in _run("revoke", "shop").out
    revoked_at = ApiKey.objects.get().revoked_at
    assert _is_in(revoked_at, timedelta())
    assert "was revoked" in _run("revoke", "shop").out
    assert ApiKey.objects.get().revoked_at == revoked_at


@pytest.mark.parametrize("command", ["rotate", "revoke"])
def test_a_key_that_nobody_knows_is_said(command: str) -> None:
    assert _refused(command, "nobody's") == 'There is no key called "nobody\'s".'


def test_the_list_shows_what_there_is_and_no_key() -> None:
    texts = [
        _run(*SHOP, "--group", "shop.*", "--rate", "10", "--expires", "2099-01-31")
    ]
    texts.append(_run("rotate", "shop"))
    texts.append(_run("create", "kiosk", "--scope", "read", "--group", "kiosk"))
    used = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    ApiKey.objects.get(name="shop").secrets.update(last_used_at=used)
    _run("revoke", "kiosk")
    prefixes = [prefix_of(text.out) for text in texts]
    titles, kiosk, shop = [line.split("  ") for line in _run("list").out.splitlines()]
    assert [cell.strip() for cell in titles if cell] == [
        *("NAME", "PREFIXES", "SCOPES", "GROUPS", "RATE"),
        *("EXPIRES", "LAST USED", "STATE"),
    ]
    assert [cell.strip() for cell in kiosk if cell] == [
        *("kiosk", prefixes[2], "read", "kiosk", "-", "-", "-", "revoked")
    ]
    assert [cell.strip() for cell in shop if cell] == [
        *("shop", f"{prefixes[1]},{prefixes[0]}", "publish", "news.**,shop.*", "10"),
        *("2099-02-01 00:00 UTC", "2026-01-02 03:04 UTC", "valid"),
    ]
    for printed in (_run("list"), _run("list", "--json")):
        for secret in ApiKey.objects.get(name="shop").secrets.all():
            assert secret.digest not in printed.out
        assert all(text.out not in printed.out for text in texts)


def test_the_list_is_there_for_programs_too() -> None:
    assert json.loads(_run("list", "--json").out) == []
    text = _run(*SHOP, "--expires", "2099-01-31").out
    assert json.loads(_run("list", "--json").out) == [
        {
            "name": "shop",
            "prefixes": [prefix_of(text)],
            "scopes": ["publish"],
            "groups": ["news.**"],
            "rate": None,
            "expires": "2099-02-01T00:00:00+00:00",
            "last_used": None,
            "state": "valid",
        }
    ]


def test_an_empty_list_is_empty_for_programs() -> None:
    assert _run("list") == ("", "There are no keys.")


def test_listing_many_keys_takes_as_many_queries_as_one(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(3):
        _run("create", f"shop {number}", *SHOP[2:])
    with django_assert_num_queries(2):
        _run("list")
