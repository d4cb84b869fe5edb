from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from pytest_django import Settings

from sse_components import bundles
from sse_components.doctor.application import findings
from sse_components.doctor.findings import Finding, Level
from tests.doctor.told import worst

STARTPROJECT = """
from django.core.asgi import get_asgi_application
application = get_asgi_application()
"""
OURS = """
from sse_components.asgi import get_asgi_application
application = get_asgi_application()
"""
WRAPPED = """
from sse_components.asgi import get_asgi_application
ours = get_asgi_application()

async def application(scope, receive, send):
    async def sent(message):
        await send(message)
    await ours(scope, receive, sent)
"""
FAILING = """
async def application(scope, receive, send):
    raise LookupError("no such thing")
"""
NONE = "application = None"
BROKEN = 'raise LookupError("no such thing")'


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    """A project's package, as `startproject` names it."""
    package = tmp_path / f"site_{secrets.token_hex(4)}"  # one that none has imported
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    del settings.ASGI_APPLICATION
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.ROOT_URLCONF = f"{package.name}.urls"
    (package / "urls.py").write_text("urlpatterns = []")
    return package


def _told(site: Path, source: str) -> Finding:
    (site / "asgi.py").write_text(source)
    (finding,) = findings()
    return finding


@pytest.mark.parametrize("source", [OURS, WRAPPED])
def test_an_application_of_ours_is_well(site: Path, source: str) -> None:
    finding = _told(site, source)
    assert finding.level is Level.OK
    assert f"'{site.name}.asgi.application'" in finding.text


def test_the_one_that_the_settings_name_is_looked_at(
    site: Path, settings: Settings
) -> None:
    settings.ASGI_APPLICATION = "project.asgi.application"
    (finding,) = findings()
    assert finding.level is Level.OK
    assert "'project.asgi.application'" in finding.text


def test_one_that_serves_no_streams_is_an_error(site: Path) -> None:
    fault = _told(site, STARTPROJECT)
    assert fault.level is Level.ERROR
    assert "serves no streams" in fault.text
    assert "get_asgi_application" in fault.cure


def test_that_of_a_site_that_has_our_addresses_serves_none_either(
    site: Path, settings: Settings
) -> None:
    settings.ROOT_URLCONF = "project.urls"
    settings.ASGI_APPLICATION = f"{site.name}.asgi.application"
    assert "serves no streams" in _told(site, STARTPROJECT).text


def test_one_that_is_not_there_is_an_error(site: Path) -> None:
    fault = worst(findings())
    assert fault.level is Level.ERROR
    assert "can't be imported" in fault.text
    assert "ASGI_APPLICATION" in fault.cure


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (BROKEN, "can't be imported: LookupError: no such thing."),
        (FAILING, "fails: LookupError: no such thing."),
        (NONE, "fails: TypeError"),
    ],
)
def test_one_that_fails_is_an_error_that_says_how(
    site: Path, source: str, text: str
) -> None:
    fault = _told(site, source)
    assert fault.level is Level.ERROR
    assert text in fault.text


def test_without_the_browser_client_it_is_ours_still(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches = bundles.folder, bundles._contents
    monkeypatch.setattr(bundles, "FOLDERS", [])
    for cache in caches:
        cache.cache_clear()
    finding = _told(site, OURS)
    for cache in caches:
        cache.cache_clear()
    assert finding.level is Level.OK
