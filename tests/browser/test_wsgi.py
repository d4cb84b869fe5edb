"""A project without Redis, by a WSGI server: everything but streams works there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from tests.wsgi import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    with site.running():
        yield site


def _note_paths(page: Page) -> list[str]:
    """Return what fills with the paths that a page asks for."""
    paths: list[str] = []
    page.on("request", lambda request: paths.append(urlsplit(request.url).path))
    page.on("websocket", lambda socket: paths.append(urlsplit(socket.url).path))
    return paths


# A12, A10
@pytest.mark.streams
@pytest.mark.asyncio(loop_scope="session")
async def test_by_a_wsgi_server_pages_and_methods_work_and_one_warning_is_logged(
    site: Site, browser: Browser
) -> None:
    context = await browser.new_context(base_url=site.url)
    page = await context.new_page()
    paths = _note_paths(page)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for address in ("/", "/pages/one", "/pages/two"):
        await page.goto(address)
        script = page.locator("script[data-stream]")
        await expect(script).to_have_attribute("data-stream", "off")
        await expect(page.get_by_text("3 books")).to_be_visible()
        for count in (4, 5):
            await page.get_by_role("button", name="Add").click()
            await expect(page.get_by_text(f"{count} books")).to_be_visible()
    # The last page has had time for what its client opens after a call, and another
    # one's answer comes after it.
    await page.evaluate("fetch('/').then((answer) => answer.text())")
    assert "/sse/components/shelf.Books/add" in paths
    assert {
        path for path in paths if path.startswith(("/sse/stream", "/sse/ws"))
    } == set()
    assert errors == []
    await context.close()
    (line,) = site.warnings
    assert line.startswith("WARNING sse_components.broker: Pages stay as they are")
    assert "SSE_COMPONENTS['BROKER_URL']" in line


# A12
def test_of_such_a_project_the_system_checks_say_what_is_missing(
    tmp_path: Path,
) -> None:
    done = Site(tmp_path).manage("check")
    assert done.returncode == 0  # its pages work
    assert "System check identified 2 issues (0 silenced)." in done.stderr
    assert "(sse_components.W011) 'shelf.wsgi.application' serves no" in done.stderr
    assert "SSE_COMPONENTS['BROKER_URL'] to a Redis" in done.stderr
    assert "(sse_components.W031) manage.py runserver is the one of" in done.stderr
