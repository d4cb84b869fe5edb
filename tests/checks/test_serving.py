from __future__ import annotations

import secrets
import sys
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.checks.messages import found

STARTPROJECT = """
from django.core.asgi import get_asgi_application
application = get_asgi_application()
"""
OURS = """
from sse_components.asgi import get_asgi_application
application = get_asgi_application()
raise RuntimeError("Nobody has asked for the application")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    """A project's package, as `startproject` makes it but for what is asked of it."""
    package = tmp_path / f"site_{secrets.token_hex(4)}"  # one that none has imported
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    del settings.ASGI_APPLICATION
    settings.WSGI_APPLICATION = f"{package.name}.wsgi.application"
    return package


# A12
@pytest.mark.parametrize("asgi", [None, STARTPROJECT])
def test_a_site_that_serves_no_streams_is_a_warning(
    site: Path, asgi: str | None
) -> None:
    if asgi:
        (site / "asgi.py").write_text(asgi)
    (warning,) = found()
    assert warning.id == "sse_components.W011"
    assert not warning.is_serious()
    assert f"'{site.name}.wsgi.application'" in warning.msg
    assert warning.hint
    assert "sse_components.asgi.get_asgi_application" in warning.hint
    assert "SSE_COMPONENTS['BROKER_URL']" in warning.hint


@pytest.mark.parametrize("wsgi", ["wsgi.application", "no_such_site.wsgi.application"])
def test_a_site_whose_package_is_not_found_is_a_warning(
    site: Path, settings: Settings, wsgi: str
) -> None:
    settings.WSGI_APPLICATION = wsgi
    (warning,) = found()
    assert warning.id == "sse_components.W011"


def test_a_site_whose_asgi_module_names_us_passes(site: Path) -> None:
    (site / "asgi.py").write_text(OURS)
    assert found() == []


def test_a_site_without_a_package_passes_too(site: Path, settings: Settings) -> None:
    settings.WSGI_APPLICATION = "wsgi.application"
    (site.parent / "asgi.py").write_text(OURS)
    assert found() == []


def test_metrics_without_what_serves_them_are_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SSE_COMPONENTS = {"METRICS": "127.0.0.1:9400"}
    assert found() == []
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    (error,) = found()
    assert error.id == "sse_components.E032"
    assert error.hint
    assert "django-sse-components[metrics]" in error.hint


def test_a_site_that_does_not_say_what_it_serves_passes(settings: Settings) -> None:
    del settings.ASGI_APPLICATION
    assert found() == []


def test_a_site_that_says_what_it_serves_passes(site: Path, settings: Settings) -> None:
    settings.ASGI_APPLICATION = "somewhere.application"
    assert found() == []


def test_a_site_over_redis_has_streams_elsewhere(
    site: Path, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"BROKER_URL": "redis://localhost/0"}
    assert found() == []


def test_before_a_deploy_the_embedded_broker_is_named(settings: Settings) -> None:
    (info,) = found(deploy=True)
    assert info.id == "sse_components.I012"
    assert not info.is_serious()
    assert info.hint
    assert "SSE_COMPONENTS['BROKER_URL']" in info.hint
    settings.SSE_COMPONENTS = {"BROKER_URL": "redis://localhost/0"}
    assert found(deploy=True) == []


def test_settings_at_fault_are_told_alone(site: Path, settings: Settings) -> None:
    settings.SSE_COMPONENTS = {"UNHEARD_OF": 1}
    (error,) = found(deploy=True)
    assert error.id == "sse_components.E001"


GRIP = {"GRIP_URL": "http://127.0.0.1:5561", "GRIP_KEY": "k" * 32}


def test_a_proxy_that_nothing_is_published_to_is_an_error(
    site: Path, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = GRIP
    (error,) = found()
    assert error.id == "sse_components.E033"
    assert error.is_serious()
    assert error.hint
    assert "sse_relay" in error.hint


def test_a_proxy_before_a_wsgi_server_with_redis_passes(
    site: Path, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = GRIP | {"BROKER_URL": "redis://127.0.0.1:6379/0"}
    assert found() == []


@pytest.mark.parametrize(
    "short",
    [
        {"HISTORY_SECONDS": 119},
        {"HISTORY_SIZE": 0},
        {"GRIP_SECONDS": 151},
        {"HISTORY_SECONDS": 120, "GROUP_MEMORY_SECONDS": 239},
    ],
)
def test_a_history_that_is_shorter_than_a_proxy_takes_is_a_warning(
    settings: Settings, short: dict[str, float]
) -> None:
    settings.SSE_COMPONENTS = short
    assert found() == []
    settings.SSE_COMPONENTS = GRIP
    assert found() == []
    settings.SSE_COMPONENTS = GRIP | short
    (warning,) = found()
    assert warning.id == "sse_components.W034"
    assert not warning.is_serious()


def test_a_proxy_that_is_sent_to_https_is_a_warning(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert found() == []
    settings.SSE_COMPONENTS = GRIP
    (warning,) = found()
    assert warning.id == "sse_components.W036"
    assert not warning.is_serious()
    assert warning.hint
    assert "r'^sse/grip'" in warning.hint
    settings.SECURE_REDIRECT_EXEMPT = [r"^sse/grip"]
    assert found() == []


@pytest.mark.parametrize("short", [{"HISTORY_SECONDS": 29}, {"HISTORY_SIZE": 99}])
def test_a_history_that_is_too_short_for_the_logbook_is_a_warning(
    settings: Settings, short: dict[str, float]
) -> None:
    settings.SSE_COMPONENTS = short
    assert found() == []
    settings.SSE_COMPONENTS = {"CONSOLE": True}
    assert found() == []
    settings.SSE_COMPONENTS = {"CONSOLE": True} | short
    (warning,) = found()
    assert warning.id == "sse_components.W037"
    assert not warning.is_serious()
