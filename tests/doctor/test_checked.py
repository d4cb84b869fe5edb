from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from pytest_django import Settings

from sse_components.components import registry
from sse_components.doctor.checked import findings
from sse_components.doctor.findings import Level
from tests.doctor.told import levels, worst


@pytest.fixture(autouse=True)
def _only_the_demo_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests have components that are wrong on purpose."""
    demo = [one for one in registry._classes if one.__module__.startswith("project.")]
    monkeypatch.setattr(registry, "_classes", demo)


def test_checks_that_say_nothing_are_well() -> None:
    assert levels(findings()) == {"system checks": Level.OK}


def test_what_they_say_is_told_with_its_cure(settings: Settings) -> None:
    settings.MIDDLEWARE = settings.MIDDLEWARE[:-1]
    fault = worst(findings())
    assert fault.level is Level.ERROR
    assert fault.subject == "sse_components.E006"
    assert "middleware" in fault.text
    assert "MIDDLEWARE" in fault.cure


def test_a_warning_stays_one(settings: Settings) -> None:
    del settings.EVENTSTREAM_CHANNELMANAGER_CLASS
    fault = worst(findings())
    assert fault.level is Level.WARNING
    assert fault.subject == "sse_components.W005"


def test_what_the_project_has_silenced_is_not_told(settings: Settings) -> None:
    del settings.EVENTSTREAM_CHANNELMANAGER_CLASS
    settings.SILENCED_SYSTEM_CHECKS = ["sse_components.W005"]
    assert levels(findings()) == {"system checks": Level.OK}


def test_addresses_that_can_not_be_imported_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    name = f"urls_{secrets.token_hex(4)}"
    (tmp_path / f"{name}.py").write_text('raise LookupError("no such thing")')
    monkeypatch.syspath_prepend(tmp_path)
    settings.ROOT_URLCONF = name
    fault = worst(findings())
    assert fault.level is Level.ERROR
    assert "LookupError: no such thing" in fault.text
