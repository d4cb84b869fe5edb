from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.components.pages import roots
from tests.servers import ROOT

SERVER = """
import logging
from wsgiref.simple_server import make_server
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

logging.basicConfig(format="%(levelname)s %(message)s")
application = get_wsgi_application()
call_command("migrate", verbosity=0)
server = make_server("127.0.0.1", 0, application)
print(server.server_port, flush=True)
server.serve_forever()
"""
COMPLAINT = re.compile(r"^(?:WARNING|ERROR|CRITICAL|Traceback).*", re.MULTILINE)


class Site:
    """What a visitor does, and what the server logs meanwhile."""

    def __init__(self, client: httpx.Client, log: Path) -> None:
        self._client = client
        self._log = log

    @property
    def complaints(self) -> list[str]:
        return COMPLAINT.findall(self._log.read_text())

    def page(self, address: str) -> str:
        answer = self._client.get(address)
        assert answer.status_code == 200
        return answer.text

    def send(self, address: str, **form: str) -> None:
        """Send a form of the first page, which leads back to it."""
        token = self._headers(self.page("/"))
        answer = self._client.post(address, data=form, headers=token)
        assert answer.headers["Location"] == "/"

    def call(self, address: str, component: str, method: str, **props: str) -> Any:
        """Call a method of a component on a page, as the browser client does."""
        html = self.page(address)
        (root,) = (one for one in roots(html) if one["data-sse-id"] == component)
        answer = self._client.post(
            f"{script(html, 'components')}{component}/{method}",
            json={"state": root["data-sse-state"], "props": props, "page": address},
            headers=self._headers(html),
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _headers(self, html: str) -> dict[str, str]:
        return {"X-CSRFToken": script(html, "csrf")}


def script(html: str, name: str) -> str:
    """Return what the page tells its script."""
    (found,) = re.findall(rf'<script [^>]*data-{name}="([^"]*)"', html)
    return str(found)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    log = tmp_path / "log"
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "SSE_BROKER_URL": "memory://",
        "PYTHONDEVMODE": "1",
        "PYTHONWARNINGS": "error",
    }
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdout
        try:
            port = process.stdout.readline().decode().strip()
            assert port, log.read_text()
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                yield Site(client, log)
        finally:
            process.terminate()


# A12
def test_pages_work_without_streams_and_one_warning_says_so(site: Site) -> None:
    for _ in range(2):
        html = site.page("/")
        assert script(html, "stream") == "off"
        assert "demo.NewsTicker" in [one["data-sse-component"] for one in roots(html)]
    (address,) = re.findall(r'<script src="([^"]+sse-components[^"]+)"', html)
    assert "Alpine" in site.page(address)

    site.send("/publish", headline="Saved all the same")
    assert "Saved all the same" in site.page("/plain")
    site.send("/alert", message="Nobody hears this")

    dismissed = site.call("/", "demo.Alert", "dismiss", message="Shown before")
    assert dismissed["props"] == {"message": ""}
    joined = site.call("/chat", "demo.Lobby", "join", name="Anna")
    assert joined["client"] == [["redirect", "/chat"]]
    said = site.call("/chat", "demo.Lobby", "say", draft="Hello")
    assert "Hello" in said["html"]

    (warning,) = site.complaints
    assert warning.startswith("WARNING")
    assert "SSE_COMPONENTS['BROKER_URL'] = 'memory://'" in warning
