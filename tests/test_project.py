from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from django.test import Client
from pytest_django import Settings

from tests.browser.screenshot import DESK, OTHERS, PHONE, PICTURES
from tests.servers import ROOT

SHOW = "from django.conf import settings as s; print(s.DEBUG, repr(s.SSE_API_KEY))"


def _settings(**variables: str) -> str:
    """Return what the project makes of its environment, or why nothing."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SSE_", "DEBUG", "SECRET_KEY", "ALLOWED"))
    }
    environment |= {"DJANGO_SETTINGS_MODULE": "project.settings"} | variables
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout or done.stderr).strip()


def test_the_demo_needs_no_environment() -> None:
    assert _settings() == "True 'demo-key'"


@pytest.mark.parametrize("off", ["0", "False", "FALSE", "no", "off", ""])
def test_debug_can_be_turned_off_in_any_spelling(off: str) -> None:
    assert _settings(DEBUG=off, SECRET_KEY="x") == "False ''"


def test_a_debug_that_says_neither_is_refused() -> None:
    assert "DEBUG=maybe is neither true nor false" in _settings(DEBUG="maybe")


def test_without_debug_a_secret_key_is_needed() -> None:
    assert "SECRET_KEY has to be set" in _settings(DEBUG="0")


@pytest.mark.parametrize(
    "name", ["SSE_HISTORY_SIZE", "SSE_HISTORY_SECONDS", "SSE_API_RATE"]
)
def test_a_variable_that_is_no_number_is_named(name: str) -> None:
    assert f"{name}=abc is not a number" in _settings(**{name: "abc"})


ELSEWHERE = {"/staff/keys", "/sse/console"}
"""What has a navigation of its own: Django's admin, and the console."""


def _links(page: str) -> list[str]:
    """Return where a page's navigation leads to."""
    (navigation,) = re.findall(r"<nav.*?</nav>", page, re.DOTALL)
    return re.findall(r'href="([^"]+)"', navigation)


@pytest.mark.django_db
def test_every_page_of_the_demo_leads_to_all_others(
    admin_client: Client, settings: Settings
) -> None:
    settings.DEBUG = True
    links = _links(admin_client.get("/").content.decode())
    assert len(set(links)) >= 10
    for link in PICTURES:
        if link not in ELSEWHERE:
            page = admin_client.get(link).content.decode()
            assert _links(page) == links, link
            assert page.count('aria-current="page"') == 1, link


@pytest.mark.django_db
def test_every_page_of_the_demo_has_a_picture_for_a_desk_and_one_for_a_phone(
    client: Client,
) -> None:
    assert set(_links(client.get("/").content.decode())) <= set(PICTURES)
    for name in (*PICTURES.values(), *OTHERS):
        for size, suffix in ((DESK, "desk"), (PHONE, "phone")):
            head = (ROOT / "docs/img" / f"{name}-{suffix}.png").read_bytes()[:24]
            assert head.startswith(b"\x89PNG")
            assert int.from_bytes(head[16:20]) == size["width"]  # PNG 11.2.2, IHDR


@pytest.mark.django_db
def test_the_keys_of_the_api_are_for_staff(
    client: Client, admin_client: Client, settings: Settings
) -> None:
    settings.DEBUG = True
    assert client.get("/staff/keys").headers["Location"].startswith("/staff/?next=")
    there = admin_client.get("/staff/keys", follow=True)
    assert there.redirect_chain == [("/admin/sse_components_api/apikey/", 302)]
    assert there.status_code == 200


@pytest.mark.django_db
def test_a_page_that_there_is_not_leads_to_those_that_there_are(client: Client) -> None:
    answer = client.get("/tomorrows-news?<b>")
    assert answer.status_code == 404
    page = answer.content.decode()
    assert "There is no page at <code>/tomorrows-news</code>" in page
    assert set(_links(page)) <= set(PICTURES)
