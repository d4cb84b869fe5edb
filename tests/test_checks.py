from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import CheckMessage, run_checks
from django.utils.module_loading import import_string
from pytest_django import Settings

from sse_components import ReactiveComponent, checks
from sse_components.components import registry

OURS = "sse_components."


def found() -> list[CheckMessage]:
    return [error for error in run_checks() if str(error.id).startswith(OURS)]


def test_a_valid_project_passes() -> None:
    assert found() == []


def test_a_project_without_the_setting_passes(settings: Settings) -> None:
    del settings.SSE_COMPONENTS
    assert found() == []


def test_an_unknown_key_is_an_error_that_names_the_nearest(
    settings: Settings,
) -> None:
    settings.SSE_COMPONENTS = {"PUBLIC_GROUP": ["news.*"]}
    (error,) = found()
    assert error.id == "sse_components.E001"
    assert error.is_serious()
    assert "'PUBLIC_GROUP'" in error.msg
    assert "'PUBLIC_GROUPS'" in error.msg


def test_each_fault_is_an_error_of_its_own(settings: Settings) -> None:
    settings.SSE_COMPONENTS = {"PREFIX": "sse", "MAX_GROUPS": -1}
    first, second = found()
    assert "PREFIX" in first.msg
    assert "MAX_GROUPS" in second.msg


def test_a_setting_that_is_no_dict_is_an_error(settings: Settings) -> None:
    settings.SSE_COMPONENTS = ["memory://"]
    (error,) = found()
    assert "is a dict" in error.msg


def test_settings_at_fault_are_told_by_the_check_and_by_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"SSE_HISTORY_SECONDS": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "E001" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def _registry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_classes", list(registry._classes))


@pytest.mark.usefixtures("_registry_of_its_own")
def test_components_of_one_name_are_an_error() -> None:
    for _ in range(2):
        type("Clashing", (ReactiveComponent,), {"__module__": __name__})
    (error,) = found()
    assert error.id == "sse_components.E002"
    assert "tests.Clashing" in error.msg


@pytest.mark.usefixtures("_registry_of_its_own")
def test_a_template_that_is_missing_is_an_error() -> None:
    members = {"__module__": __name__, "template_name": "demo/no_such.html"}
    type("WithoutTemplate", (ReactiveComponent,), members)
    type("Base", (ReactiveComponent,), {"__module__": __name__})
    (error,) = found()
    assert error.id == "sse_components.E003"
    assert error.obj == "tests.WithoutTemplate"
    assert "'demo/no_such.html'" in error.msg


DJANGO_EVENTSTREAM = "django_eventstream"


# A68
@pytest.mark.parametrize("storage", [None, "django_eventstream.storage.RedisStorage"])
def test_django_eventstream_with_another_storage_is_a_warning(
    settings: Settings, storage: str | None
) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, DJANGO_EVENTSTREAM]
    del settings.EVENTSTREAM_STORAGE_CLASS
    if storage:
        settings.EVENTSTREAM_STORAGE_CLASS = storage
    (warning,) = found()
    assert warning.id == "sse_components.W004"
    assert not warning.is_serious()
    assert "send_event" in warning.msg
    assert warning.hint
    assert "'sse_components.eventstream.Storage'" in warning.hint


def test_another_storage_is_nothing_to_a_project_without_django_eventstream(
    settings: Settings,
) -> None:
    del settings.EVENTSTREAM_STORAGE_CLASS
    assert found() == []


def test_django_eventstream_with_our_storage_passes(settings: Settings) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, DJANGO_EVENTSTREAM]
    assert found() == []


def test_our_storage_without_a_channel_manager_is_a_warning(
    settings: Settings,
) -> None:
    del settings.EVENTSTREAM_CHANNELMANAGER_CLASS
    (warning,) = found()
    assert warning.id == "sse_components.W005"
    assert warning.hint
    assert "'sse_components.eventstream.ChannelManager'" in warning.hint


def test_the_names_of_what_is_plugged_in_can_be_imported() -> None:
    for name in (checks.STORAGE, checks.CHANNEL_MANAGER):
        assert import_string(name)
