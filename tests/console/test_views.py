"""Who gets the console's pages, and what the others are told."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.servers import ROOT

NAMES = ["console", "console_groups", "console_people", "console_visitors",
         "console_events", "console_why"]  # fmt: skip
ADDRESSES = [reverse(f"sse_components:{name}") for name in NAMES]


@pytest.fixture(autouse=True)
def _console(settings: Settings, db: None) -> None:
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | {"CONSOLE": True}


FOUND = """
import django
django.setup()
import project.urls
from sse_components.components import registry
names = map(registry.name_of, registry.all_components())
print(sum(name.startswith("sse_components.") for name in names))
"""


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_user("ada", is_staff=True))
    return client


@pytest.fixture
def hub(settings: Settings) -> None:
    """Have streams, as far as a page can tell, and no broker that answers."""
    given = {"BROKER_URL": "redis://127.0.0.1:1/0"}
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | given


@pytest.mark.parametrize("address", ADDRESSES)
def test_who_isnt_logged_in_is_asked_to(client: Client, address: str) -> None:
    answer = client.get(f"{address}?event=1")
    assert answer.status_code == 302
    assert answer["Location"] == f"/staff/?next={address}%3Fevent%3D1"


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("is_superuser", [False, True])
def test_who_isnt_staff_is_refused(
    client: Client, address: str, is_superuser: bool
) -> None:
    client.force_login(User.objects.create_user("ada", is_superuser=is_superuser))
    assert client.get(address).status_code == 403


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_the_setting_there_is_none_and_debug_says_so(
    staff: Client, settings: Settings, address: str
) -> None:
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | {"CONSOLE": False}
    assert staff.get(address).status_code == 404
    settings.DEBUG = True
    assert "SSE_COMPONENTS = {&#x27;CONSOLE&#x27;: True}" in staff.get(address).text


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_process_without_streams_says_that_it_has_none(
    staff: Client, address: str
) -> None:
    answer = staff.get(address)
    assert answer.status_code == 503
    assert "This process serves no streams" in answer.text
    assert "data-sse-component" not in answer.text


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_whose_broker_is_away_says_so_and_isnt_cached(
    staff: Client, address: str
) -> None:
    answer = staff.get(address)
    assert answer.status_code == 200
    assert "data-sse-component" in answer.text
    assert (
        "private" in answer["Cache-Control"] and "no-store" in answer["Cache-Control"]
    )


@pytest.mark.usefixtures("hub")
def test_what_the_address_says_is_escaped(staff: Client) -> None:
    address = reverse("sse_components:console_why")
    answer = staff.get(address, {"event": '"><script>x', "user": "<b>"})
    assert "<script>x" not in answer.text and "<b>" not in answer.text
    for name in ("console_group", "console_person"):
        page = staff.get(reverse(f"sse_components:{name}", args=["<script>x"]))
        assert "<script>x" not in page.text
        assert "&lt;script&gt;x" in page.text


@pytest.mark.parametrize(("switch", "count"), [("0", 0), ("1", 9)])
def test_without_the_setting_nobody_finds_its_components(
    switch: str, count: int
) -> None:
    given = {"SSE_CONSOLE": switch, "DJANGO_SETTINGS_MODULE": "project.settings"}
    done = subprocess.run(
        [sys.executable, "-c", FOUND],
        cwd=ROOT,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == count
