"""Takes the picture of the demo for the README: python -m tests.browser.screenshot."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

from playwright.async_api import async_playwright, expect

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.servers import Server

HEADLINE = "Storm warning lifted on the coast"


def publish(server: Server, address: str, body: dict[str, object]) -> None:
    headers = server.headers | {"Content-Type": "application/json"}
    url = f"{server.url}/api/v1{address}"
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=10):
        pass


async def take(server: Server, target: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS
        )
        page = await browser.new_page(viewport={"width": 1100, "height": 620})
        await page.goto(server.url)
        await page.wait_for_function("window.Alpine?.store('sse')?.online === true")
        publish(
            server,
            "/groups/news.updates/data-changed",
            {"data": {"headline": HEADLINE}},
        )
        alert: dict[str, object] = {
            "event_name": "tetra:alert",
            "data": {"message": "System shutdown in 5 minutes"},
        }
        publish(server, "/groups/broadcast/notify", alert)
        await expect(page.get_by_text(HEADLINE)).to_have_count(2)
        await expect(page.get_by_role("alert")).to_contain_text("System shutdown")
        await page.screenshot(path=target)
        await browser.close()


def main() -> None:
    with TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        try:
            asyncio.run(take(server, Path(sys.argv[1])))
        finally:
            server.close()


if __name__ == "__main__":
    main()
