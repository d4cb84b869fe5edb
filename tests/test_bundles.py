from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import Client
from django.urls import set_script_prefix
from pytest_django import Settings

from sse_components import bundles
from sse_components.asgi import get_asgi_application
from tests.communicator import request

NAME = "sse-components-ABC123.js"

NOT_SERVED = [
    "",
    ".",
    "..",
    "manifest.json",
    "sse-components.js",
    "other.js",
    "../bundles.py",
    "../sse-components-ABC123.js",
    "/etc/passwd",
    f"./{NAME}",
    f"{NAME}/",
    f"{NAME}\0",
    "\0.js",
    "ä.js",
    "%2e%2e/x.js",
    300 * "x" + ".js",
]


def test_a_bundle_is_served_under_the_name_in_the_manifest(built: Path) -> None:
    assert bundles.folder() == built
    assert bundles.file_name("sse-components.js") == NAME
    assert bundles.content(NAME) == (
        "text/javascript; charset=utf-8", b"// the client"
    )  # fmt: skip


def test_a_source_map_is_served_too(built: Path) -> None:
    (built / f"{NAME}.map").write_text("{}")
    assert bundles.content(f"{NAME}.map") == ("application/json", b"{}")


# A66
@pytest.mark.parametrize("name", NOT_SERVED)
def test_nothing_else_is_served(built: Path, name: str) -> None:
    (built / "secret.txt").write_text("secret")
    assert bundles.content(name) is None
    assert bundles.content("secret.txt") is None


# A66
def test_names_that_clients_think_of_take_no_room(built: Path) -> None:
    for number in range(100):
        assert bundles.content(f"{number}.js") is None
    assert bundles._contents.cache_info().currsize == 1


def test_the_first_folder_that_was_built_counts(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = built / "other"
    other.mkdir()
    monkeypatch.setattr(bundles, "FOLDERS", [other, built])
    assert bundles.folder() == built
    bundles.folder.cache_clear()
    (other / "manifest.json").write_text(json.dumps({}))
    assert bundles.folder() == other


def test_a_client_that_was_not_built_is_an_error_that_names_the_command(
    built: Path,
) -> None:
    (built / "manifest.json").unlink()
    with pytest.raises(ImproperlyConfigured, match="make install"):
        bundles.file_name("sse-components.js")
    with pytest.raises(ImproperlyConfigured, match="make install"):
        bundles.content(NAME)


@pytest.mark.parametrize(
    ("name", "kind", "body"),
    [
        ("sse-client.js", "text/javascript", b"// the transport alone"),
        ("sse-client.d.ts", "text/plain", b"// its types"),
    ],
)
async def test_the_transport_client_has_a_name_that_stays(
    built: Path, name: str, kind: str, body: bytes
) -> None:
    async with request(get_asgi_application(), f"/sse/static/{name}") as exchange:
        assert await exchange.read() == body
    assert exchange.headers["content-type"] == f"{kind}; charset=utf-8"
    assert exchange.headers["cache-control"] == "public, max-age=300"
    response = Client().get(f"/sse/static/{name}")
    assert response.content == body
    assert response["Cache-Control"] == "public, max-age=300"


def test_a_page_finds_the_transport_client_below_its_application(
    built: Path, settings: Settings
) -> None:
    settings.SSE_COMPONENTS = {"PREFIX": "/live/"}
    page = Template("{% load sse_components %}{% sse_client_url %}")
    set_script_prefix("/app/")
    try:
        found = page.render(Context())
    finally:
        set_script_prefix("/")
    assert found == "/app/live/static/sse-client-ABC123.js"


async def test_a_bundle_is_kept_for_ever(built: Path) -> None:
    async with request(get_asgi_application(), f"/sse/static/{NAME}") as exchange:
        assert await exchange.read() == b"// the client"
    assert exchange.status == 200
    assert exchange.headers == {
        "content-type": "text/javascript; charset=utf-8",
        "content-length": "13",
        "cache-control": "public, max-age=31536000, immutable",
    }


@pytest.mark.parametrize("name", ["other.js", "../pyproject.toml", "%00.js", ""])
async def test_what_is_not_served_is_not_found_and_not_kept(
    built: Path, name: str
) -> None:
    async with request(get_asgi_application(), f"/sse/static/{name}") as exchange:
        await exchange.read()
    assert exchange.status == 404
    assert "cache-control" not in exchange.headers


# A12
def test_where_there_is_no_asgi_application_django_serves_it(
    built: Path, client: Client
) -> None:
    answer = client.get(f"/sse/static/{NAME}")
    assert answer.content == b"// the client"
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get("/sse/static/other.js").status_code == 404


@pytest.mark.parametrize("name", [NAME, "other.js"])
def test_no_login_is_needed_for_it(
    built: Path, client: Client, settings: Settings, name: str
) -> None:
    needed = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, needed]
    assert client.get(f"/sse/static/{name}").status_code == (
        200 if name == NAME else 404
    )
