from __future__ import annotations

import asyncio
import json
import re
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from pytest_django import Settings

from project.demo.models import TodoItem
from sse_components.testing import StreamClient, streams
from tests.databases import in_thread
from tests.docs import pages
from tests.docs.conftest import OpenWindow
from tests.redis_servers import RedisServer
from tests.servers import ROOT, Server
from tests.tutorials import Block

PAGE = pages.Page("concepts.md")
PICTURES = re.findall(r"!\[(.+)\]\((.+)\)", PAGE.path.read_text())
READABLE = 12
SOON = 15_000
"""Milliseconds that a page may take where others use the machine too."""
SVG = "{http://www.w3.org/2000/svg}"

# For each text its size on the screen, and what it crosses the edge of.
LOOK = """() => {
  const svg = document.querySelector("svg")
  const inside = (one, other) =>
    one.left >= other.left && one.right <= other.right &&
    one.top >= other.top && one.bottom <= other.bottom
  const apart = (one, other) =>
    one.right <= other.left || one.left >= other.right ||
    one.bottom <= other.top || one.top >= other.bottom
  const place = (each) => each.getBoundingClientRect()
  const boxes = [svg, ...svg.querySelectorAll("rect")].map(place)
  const texts = [...svg.querySelectorAll("text")]
  return texts.map((text) => {
    const own = place(text)
    const words = texts.filter((each) => each !== text).map(place)
    // Lines of one paragraph may touch, since their boxes are higher than letters.
    const beside = words.filter((word) => Math.abs(own.top - word.top) < 8)
    return {
      text: text.textContent,
      size: parseFloat(getComputedStyle(text).fontSize) * svg.getScreenCTM().a,
      crosses: boxes.filter((box) => !inside(own, box) && !apart(own, box)).length,
      covers: beside.filter((word) => !apart(own, word)).length,
    }
  })
}"""


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer
) -> Iterator[Server]:
    """The demo over Redis, so that the page's code can run in another process."""
    environment = {"SSE_BROKER_URL": redis_server.url}
    folder = tmp_path_factory.mktemp("concepts")
    with Server(folder, environment=environment).running() as server:
        yield server


@pytest.mark.django_db(transaction=True)
@PAGE.runs("The life of a change")
async def test_what_is_saved_is_heard_as_it_is_printed(
    blocks: Sequence[Block], settings: Settings
) -> None:
    code, printed = blocks
    expected = json.loads(printed.text)
    settings.SSE_COMPONENTS = {"PUBLIC_GROUPS": ["todo.**"]}
    async with streams(), StreamClient(groups=[expected["group"]]) as stream:
        item = await TodoItem.objects.acreate(pk=7, owner="ada", title="Buy milk")
        in_thread(exec, code.text, {"item": item})
        heard = (await stream.next(expected["type"])).data
    assert list(heard) == list(expected)
    for name in ("type", "group", "payload", "sender"):
        assert heard[name] == expected[name]
    for name in ("id", "ts"):
        assert re.sub(r"\w+", "x", heard[name]) == re.sub(r"\w+", "x", expected[name])


@pytest.mark.asyncio(loop_scope="session")
@PAGE.runs("Values or a refresh")
async def test_values_are_set_without_a_request_where_the_page_alone_shows_them(
    blocks: Sequence[Block], server: Server, open_window: OpenWindow
) -> None:
    (block,) = blocks
    with_values, without = block.text.splitlines()
    page = await open_window(base_url=server.url)
    fetched = _fetches(page)
    await page.goto("/")
    await page.wait_for_function("window.Alpine?.store('sse')?.online === true")
    for word in ("Hello", "Again"):  # by the second one, the first has done all it does
        _run(server, with_values.replace("Hello", word))
        for component in ("NewsTicker", "LiveTicker"):
            root = page.locator(f"[data-sse-component='demo.{component}']")
            await expect(root).to_contain_text(word, timeout=SOON)
    assert fetched == {"NewsTicker"}
    _run(server, without)
    async with asyncio.timeout(SOON / 1000):
        while fetched != {"NewsTicker", "LiveTicker"}:
            await page.wait_for_event("request")


def _run(server: Server, code: str) -> None:
    imported = f"from sse_components import ComponentDispatcher\n{code}"
    server.manage("shell", "--verbosity=0", "-c", imported)


def _fetches(page: Page) -> set[str]:
    """Note which components fetch their HTML."""
    found: set[str] = set()

    def note(url: str) -> None:
        if match := re.search(r"components/demo\.(\w+)/_refresh", url):
            found.add(match[1])

    page.on("request", lambda request: note(request.url))
    return found


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("path", [path for _, path in PICTURES])
async def test_a_picture_can_be_read_on_a_phone(
    path: str, open_window: OpenWindow
) -> None:
    page = await open_window(viewport={"width": 390, "height": 844})
    svg = (PAGE.path.parent / path).read_text()
    style = "body { margin: 16px } svg { width: 100%; height: auto }"
    await page.set_content(f"<!doctype html><style>{style}</style>{svg}")
    texts = await page.evaluate(LOOK)
    assert texts
    for each in texts:
        assert each["size"] >= READABLE, each
        assert not each["crosses"], each
        assert not each["covers"], each


@pytest.mark.parametrize(("words", "path"), PICTURES)
def test_a_picture_says_in_words_what_it_shows_and_brings_its_own_ground(
    words: str, path: str
) -> None:
    picture = ET.parse(PAGE.path.parent / path).getroot()
    assert len(words) > 40
    assert picture.findtext(f"{SVG}title")
    width, height = picture.get("viewBox", "").split()[2:]
    ground = picture.find(f"{SVG}rect")
    assert ground is not None
    assert (ground.get("width"), ground.get("height")) == (width, height)
    assert (ground.get("fill") or "").startswith("#")  # in the dark too


def test_every_picture_is_shown() -> None:
    files = {path.name for path in (ROOT / "docs" / "img").glob("concepts-*.svg")}
    assert files == {Path(path).name for _, path in PICTURES}


def test_the_layers_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = {one["id"]: one for one in contracts["tool"]["importlinter"]["contracts"]}
    level = {
        name: number
        for number, names in enumerate(layers["layers"]["layers"])
        for name in names.split(" | ")
    }
    rows = _rows(ROOT / "docs" / "img" / "concepts-layers.svg")
    assert [row[0] for row in rows[:2]] == layers["project"]["layers"][:2]
    modules = rows[2:]
    assert {name for row in modules for name in row} <= set(level)
    # In a row what is used stands last, and no row uses what is above it.
    lowest = [level[row[-1]] for row in modules]
    assert lowest == sorted(lowest)
    assert all(level[row[0]] <= level[row[-1]] for row in modules)
    core = {name.rpartition(".")[2] for name in layers["core"]["source_modules"]}
    is_core = [set(row) <= core for row in modules]
    below = [row[0] for row in modules].index("hub")
    assert is_core == [False] * below + [True] * (len(modules) - below)


def _rows(path: Path) -> list[list[str]]:
    """Return the names of modules in a picture, line by line."""
    texts = ET.parse(path).getroot().iter(f"{SVG}text")
    names = [text.text or "" for text in texts if "code" in text.get("class", "")]
    return [name.split(" · ") for name in names]
