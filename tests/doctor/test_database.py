from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from pytest_django import DjangoDbBlocker, Settings

from sse_components.doctor.database import findings
from sse_components.doctor.findings import Finding, Level
from tests.doctor.told import levels, worst

ALIAS = "looked_at"


class Router:
    """Has the API use the database that is looked at."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return ALIAS


@pytest.mark.django_db
def test_tables_that_are_there_are_well() -> None:
    assert levels(findings()) == {"API tables": Level.OK}


def test_tables_that_are_missing_are_an_error(
    tmp_path: Path, settings: Settings, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        fault = worst(_told(tmp_path / "db.sqlite3", settings))
    assert fault.level is Level.ERROR
    assert "from sse_components_api.0001_initial on" in fault.text
    assert "manage.py migrate sse_components_api" in fault.cure


def test_a_database_that_is_away_is_an_error(
    tmp_path: Path, settings: Settings, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        fault = worst(_told(tmp_path / "no such folder" / "db.sqlite3", settings))
    assert fault.level is Level.ERROR
    assert "the database doesn't answer" in fault.text


def test_without_the_api_there_is_nothing_to_tell(settings: Settings) -> None:
    assert apps.is_installed("api")
    settings.INSTALLED_APPS = [one for one in settings.INSTALLED_APPS if one != "api"]
    assert list(findings()) == []


def _told(file: Path, settings: Settings) -> list[Finding]:
    settings.DATABASE_ROUTERS = [f"{__name__}.Router"]
    connections.databases[ALIAS] = connections.databases["default"] | {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(file),
        "OPTIONS": {},
    }
    try:
        return list(findings())
    finally:
        connections[ALIAS].close()
        del connections[ALIAS]
        del connections.databases[ALIAS]
