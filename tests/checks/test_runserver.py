from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from sse_components.checks.runserver import OURS
from tests.checks.messages import found

STATIC_FILES = "django.contrib.staticfiles"


def without(settings: Settings, *names: str) -> list[str]:
    return [name for name in settings.INSTALLED_APPS if name not in names]


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An app with a runserver of its own."""
    commands = tmp_path / "other_app/management/commands"
    commands.mkdir(parents=True)
    for folder in (commands, *commands.parents[:2]):
        (folder / "__init__.py").touch()
    (commands / "runserver.py").write_text("raise RuntimeError('Nobody has asked')")
    monkeypatch.syspath_prepend(tmp_path)
    return "other_app"


# A12
def test_a_runserver_without_streams_is_a_warning(settings: Settings) -> None:
    others = without(settings, STATIC_FILES, OURS)
    settings.INSTALLED_APPS = [STATIC_FILES, *others, OURS]
    (warning,) = found()
    assert warning.id == "sse_components.W031"
    assert not warning.is_serious()
    assert repr(STATIC_FILES) in warning.msg
    assert warning.hint == f"Move {OURS!r} above {STATIC_FILES!r} in INSTALLED_APPS."


def test_a_runserver_of_somebody_else_is_a_warning_that_may_be_silenced(
    settings: Settings, other: str
) -> None:
    settings.INSTALLED_APPS = [other, OURS, *without(settings, OURS)]
    (warning,) = found()
    assert warning.id == "sse_components.W031"
    assert repr(other) in warning.msg
    assert warning.hint
    assert warning.hint.startswith(f"Move {OURS!r} above {other!r} in INSTALLED_APPS.")
    assert "SILENCED_SYSTEM_CHECKS" in warning.hint


def test_our_runserver_passes(settings: Settings, other: str) -> None:
    settings.INSTALLED_APPS = [OURS, *without(settings, OURS), other]
    assert found() == []


def test_our_runserver_passes_without_static_files(settings: Settings) -> None:
    settings.INSTALLED_APPS = without(settings, STATIC_FILES)
    assert found() == []
