"""docs/client.md: its page and its hook hear what is published, in Chromium."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from playwright.async_api import expect

from tests.docs.conftest import OpenWindow
from tests.docs.pages import Page
from tests.docs.projects import Project
from tests.servers import Server
from tests.tutorials import Block

PAGE = Page("client.md")
SLOW = 20_000
"""Milliseconds for a page, whatever else runs."""
BUILT = ("sse-client.js", "sse-client.d.ts")

HOOKS = """
// Of React what the hook needs: one component, its states, its effects at the end.
let render, states = [], effects = [], at = 0
export const useState = (first) => {
  const mine = at++
  states[mine] ??= first
  return [states[mine], (value) => { states[mine] = value; draw() }]
}
export const useEffect = (effect, needed) => {
  if (!effects.length) effects.push(effect)
}
export const useSyncExternalStore = (subscribe, snapshot) => {
  const [, set] = useState()
  useEffect.store ??= subscribe(() => set({}))
  return snapshot()
}
const draw = () => { at = 0; render() }
export const mount = (component) => {
  render = component
  draw()
  for (const effect of effects) globalThis.unmount = effect()
}
"""
FRAMEWORK = """<!doctype html><link rel="icon" href="data:,"><p id="shown"></p>
<script type="importmap">{"imports": {
  "react": "data:text/javascript,%HOOKS%",
  "./sse-client.js": "/sse/static/sse-client.js"
}}</script>
<script type="module">
import { mount } from "react"
%HOOK%
mount(() => {
  const headline = useHeadline(), status = useStatus()
  document.getElementById("shown").textContent = `${status.state}: ${headline}`
})
</script>"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    blocks = {
        block.language: block.text for block in PAGE.blocks("The transport alone")
    }
    hooks = "".join(f"%{byte:02x}" for byte in HOOKS.encode())
    framework = FRAMEWORK.replace("%HOOKS%", hooks).replace("%HOOK%", blocks["js"])
    icon = '<!doctype html><link rel="icon" href="data:,">'
    files = {
        "news/templates/alone.html": icon + blocks["html"],
        "news/templates/framework.html": framework,
    }
    project = Project(tmp_path, files)
    project.manage("migrate", "--verbosity=0")
    with project.server.running() as server:
        yield server


@pytest.mark.asyncio(loop_scope="session")
@PAGE.runs("The transport alone", "html")
async def test_a_page_without_components_hears_a_headline(
    blocks: list[Block], server: Server, open_window: OpenWindow
) -> None:
    page = await open_window()
    async with page.expect_response("**/sse/stream?*"):
        await page.goto(f"{server.url}/page/alone")
    publish(server, "Hello")
    await expect(page.locator("#headline")).to_have_text("Hello", timeout=SLOW)


@pytest.mark.asyncio(loop_scope="session")
@PAGE.runs("The transport alone", "js")
async def test_a_hook_hears_a_headline_and_the_status(
    blocks: list[Block], server: Server, open_window: OpenWindow
) -> None:
    page = await open_window()
    await page.goto(f"{server.url}/page/framework")
    await expect(page.locator("#shown")).to_have_text("connected: ", timeout=SLOW)
    publish(server, "Hello")
    await expect(page.locator("#shown")).to_have_text("connected: Hello", timeout=SLOW)
    await page.evaluate("unmount()")
    await expect(page.locator("#shown")).to_have_text("closed: Hello", timeout=SLOW)


@PAGE.runs("The transport alone", "sh")
def test_the_files_are_copied_from_a_server(
    blocks: list[Block], server: Server, tmp_path: Path
) -> None:
    (copy,) = blocks
    assert "https://example.com" in copy.text
    command = copy.text.replace("https://example.com", server.url)
    subprocess.run(["bash", "-euc", command], cwd=tmp_path, check=True, timeout=30)
    for name in BUILT:
        with urlopen(f"{server.url}/sse/static/{name}", timeout=10) as answer:
            assert (tmp_path / name).read_bytes() == answer.read() != b""


def publish(server: Server, headline: str) -> None:
    url = f"{server.url}/api/v1/groups/news.updates/data-changed"
    headers = server.headers | {"Content-Type": "application/json"}
    body = json.dumps({"data": {"headline": headline}}).encode()
    with urlopen(Request(url, body, headers), timeout=10):
        pass
