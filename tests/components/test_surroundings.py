from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation
from pytest_django import Settings

from sse_components.components.surroundings import activated, zone


class Odd(tzinfo):
    """Has neither a name nor an offset that could be kept."""

    def utcoffset(self, moment: datetime | None) -> None: ...
    def dst(self, moment: datetime | None) -> None: ...
    def tzname(self, moment: datetime | None) -> None: ...


@pytest.mark.parametrize(
    ("present", "kept"),
    [
        (ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
        (ZoneInfo("UTC"), None),
        (timezone.get_fixed_timezone(-90), -90),
        (UTC, 0),
        (Odd(), None),
    ],
)
def test_a_time_zone_is_kept_as_its_name_or_its_minutes(
    present: tzinfo, kept: str | int | None
) -> None:
    with timezone.override(present):
        assert zone() == kept


def test_the_default_time_zone_is_that_of_the_settings(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    assert zone() is None
    with timezone.override("UTC"):
        assert zone() == "UTC"


# A81
@pytest.mark.parametrize(
    ("kept", "hour"), [("Europe/Berlin", 9), (90, 9), (-60, 7), (0, 8), (None, 8)]
)
def test_a_kept_time_zone_is_the_present_one_meanwhile(
    kept: str | int | None, hour: int
) -> None:
    moment = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    with timezone.override("Asia/Tokyo"):
        with activated("de", kept):
            assert timezone.localtime(moment).hour == hour
            assert zone() == (kept if kept != "UTC" else None)
        assert timezone.localtime(moment).hour == 17


# A81
def test_a_kept_language_is_the_present_one_meanwhile() -> None:
    with translation.override("fr"):
        with activated("de", None):
            assert translation.get_language() == "de"
            assert translation.gettext("Yes") == "Ja"
        assert translation.get_language() == "fr"
        with activated(None, None):
            assert translation.get_language() is None


def test_a_time_zone_that_is_not_known_here_is_an_error() -> None:
    with pytest.raises(LookupError), activated("de", "Nowhere/Else"):
        pass
