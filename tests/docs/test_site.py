"""The documentation as a site: built strictly, whole, and asking nobody else."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from playwright.async_api import expect

from tests.docs.conftest import OpenWindow
from tests.servers import ROOT

DOCS = ROOT / "docs"
BUILD_SECONDS = 20
HERE = "http://site"
LINKS = {"a", "area"}
"""What a reader follows; anything else with an address is fetched by the page."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
OPENED = ["", "tutorial/", "components/", "api/", "decisions/", "404.html"]


def test_the_site_is_built_without_a_warning(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("")
        folder = name.parent if name.name == "index" else name
        assert (site / folder / "index.html").is_file(), name


@pytest.mark.parametrize(
    "mistake", ["[a page](missing.md)", "[a heading](settings.md#missing)"]
)
def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path, mistake: str) -> None:
    copied(tmp_path)
    with (tmp_path / "docs" / "logging.md").open("a") as page:
        page.write(f"\n{mistake}\n")
    code, printed = built(tmp_path)
    assert code != 0
    assert "logging.md" in printed


def test_every_address_in_the_site_leads_somewhere(site: Path) -> None:
    pages = {path: Addresses.of(path) for path in site.rglob("*.html")}
    assert len(pages) > len(list(DOCS.rglob("*.md")))
    for path, page in pages.items():
        here = f"{HERE}/{path.relative_to(site)}"
        for tag, address in page.found:
            parts = urlsplit(urljoin(here, address))
            if f"{parts.scheme}://{parts.netloc}" != HERE:
                assert tag in LINKS, f"{path.name} asks {address}"
                continue
            target = site / unquote(parts.path).removeprefix("/")
            if target.is_dir():
                target /= "index.html"
            assert target.is_file(), f"{path} has {address}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, address


def test_every_page_is_in_the_navigation_once() -> None:
    config = tomllib.loads((ROOT / "zensical.toml").read_text())
    found = list(leaves(config["project"]["nav"]))
    pages = [*DOCS.glob("*.md"), DOCS / "decisions" / "index.md"]
    names = {str(page.relative_to(DOCS)) for page in pages}
    assert sorted(found) == sorted(names | {"openapi.json"})


def test_every_record_is_in_the_index_of_decisions_by_its_title() -> None:
    folder = DOCS / "decisions"
    lines = (folder / "index.md").read_text().splitlines()
    records = sorted(folder.glob("0*.md"))
    titles = [path.read_text().splitlines()[0].removeprefix("# ") for path in records]
    assert [line for line in lines if line.startswith("- ")] == [
        f"- [{title}]({path.name})" for title, path in zip(titles, records, strict=True)
    ]


@pytest.mark.asyncio(loop_scope="session")
async def test_a_page_asks_nobody_else_for_anything(
    site: Path, open_window: OpenWindow
) -> None:
    page = await open_window()
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    with served(site) as url:
        for name in OPENED:
            await page.goto(url + name, wait_until="networkidle")
            await expect(page.locator("h1").first).to_be_visible()
    own = [one for one in asked if one.startswith(url)]
    assert len(own) > len(OPENED)
    assert own == [one for one in asked if not one.startswith(("data:", "blob:"))]


@pytest.mark.asyncio(loop_scope="session")
async def test_the_search_finds_a_page_by_its_words(
    site: Path, open_window: OpenWindow
) -> None:
    page = await open_window()
    with served(site) as url:
        await page.goto(url)
        await page.get_by_role("button", name="Search").first.click()
        await page.keyboard.type("presence")
        await page.locator("a[href*='presence/?h=']").first.click()
        await page.wait_for_url("**/presence/**")
        await expect(page.locator("h1")).to_contain_text("Presence")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_code_is_in_colour_by_day_and_by_night(
    site: Path, open_window: OpenWindow, scheme: str
) -> None:
    page = await open_window(color_scheme=scheme)
    with served(site) as url:
        await page.goto(url + "components/")
        body = await page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g)"
        )
        colours = await page.evaluate(
            """[...new Set([...document.querySelectorAll("pre code span")].map(
              one => getComputedStyle(one).color))].length"""
        )
    assert (float(body[0]) < 128) == (scheme == "dark")
    assert colours > 4


@pytest.mark.asyncio(loop_scope="session")
async def test_no_page_is_wider_than_a_phone(
    site: Path, open_window: OpenWindow
) -> None:
    page = await open_window(viewport={"width": 390, "height": 844})
    with served(site) as url:
        for source in sorted(DOCS.glob("*.md")):
            name = "" if source.stem == "index" else f"{source.stem}/"
            await page.goto(url + name)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, f"{source.name} is {wide} wide"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    copied(folder)
    code, printed = built(folder)
    assert code == 0, printed
    assert "No issues found" in printed
    return folder / "build" / "site"


def copied(folder: Path) -> None:
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)


def built(folder: Path) -> tuple[int, str]:
    """Build as `make docs` does; return its exit code and what it has printed."""
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    return done.returncode, COLOUR.sub("", done.stdout)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class Addresses(HTMLParser):
    """What a page links to, what it fetches, and where others may link to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.ids: set[str] = set()

    @classmethod
    def of(cls, path: Path) -> Addresses:
        page = cls()
        page.feed(path.read_text())
        page.close()
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.found.append((tag, value))
            elif name in ("id", "name") and value:
                self.ids.add(value)


def leaves(navigation: Any) -> Iterator[str]:
    """Yield the pages of a navigation."""
    match navigation:
        case str():
            yield navigation
        case dict():
            for part in navigation.values():
                yield from leaves(part)
        case list():
            for part in navigation:
                yield from leaves(part)
