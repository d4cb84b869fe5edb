from __future__ import annotations

import pytest
from django.utils.module_loading import import_string
from pytest_django import Settings

from sse_components.checks.eventstream import CHANNEL_MANAGER, STORAGE
from tests.checks.messages import found

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
    for name in (STORAGE, CHANNEL_MANAGER):
        assert import_string(name)


@pytest.mark.parametrize("name", ["GRIP_URL", "GRIP_PROXIES"])
def test_settings_of_its_own_for_a_proxy_beside_ours_are_a_warning(
    settings: Settings, name: str
) -> None:
    url = "http://127.0.0.1:5561"
    setattr(settings, name, url if name == "GRIP_URL" else [{"control_uri": url}])
    assert found() == []
    settings.SSE_COMPONENTS = {"GRIP_URL": url, "GRIP_KEY": "k" * 32}
    (warning,) = found()
    assert warning.id == "sse_components.W035"
    assert not warning.is_serious()
    assert name in warning.msg
