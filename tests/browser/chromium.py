"""Chromium over its own debugging protocol (CDP), so that it behaves as visitors' do.

With Playwright no page is ever hidden or frozen, or kept for the back button.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.browser.protocol import Message, Protocol, ProtocolError, started
from tests.browser.tabs import Tab


class Chromium:
    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    @classmethod
    @asynccontextmanager
    async def start(
        cls, binary: str, arguments: Sequence[str], profile: Path
    ) -> AsyncIterator[Chromium]:
        own = ["--headless=new", "--remote-debugging-port=0"]
        command = [binary, *own, f"--user-data-dir={profile}", *arguments]
        with started(command, profile) as url:
            async with Protocol.open(url) as protocol:
                yield cls(protocol)
                await protocol.call("Browser.close")

    async def new_tab(self) -> ChromiumTab:
        """Open one in front of the others."""
        call = self._protocol.call
        target = await call("Target.createTarget", {"url": "about:blank"})
        attached = await call("Target.attachToTarget", target | {"flatten": True})
        tab = ChromiumTab(self, self._protocol, attached["sessionId"])
        for domain in ("Page", "Runtime", "Network"):
            await tab.call(f"{domain}.enable")
        return tab


class ChromiumTab(Tab):
    def __init__(self, browser: Chromium, protocol: Protocol, session: str) -> None:
        super().__init__()
        self.browser = browser
        self._protocol = protocol
        self._session = session
        protocol.hear("Runtime.exceptionThrown", self._note)

    async def call(self, method: str, params: Message | None = None) -> Any:
        """Return the result of a command that is for this tab."""
        return await self._protocol.call(method, params, sessionId=self._session)

    async def show(self) -> None:
        """Put it in front of the others."""
        await self.call("Page.bringToFront")

    async def open(self, url: str) -> None:
        answer = await self.call("Page.navigate", {"url": url})
        assert "errorText" not in answer, answer

    async def type(self, text: str) -> None:
        for key in text:
            down = {"type": "keyDown", "key": key, "text": key}
            await self.call("Input.dispatchKeyEvent", down)
            await self.call("Input.dispatchKeyEvent", {"type": "keyUp", "key": key})

    async def close(self) -> None:
        await self.call("Page.close")

    async def _evaluate(self, code: str) -> str:
        params = {"expression": code, "awaitPromise": True}
        answer = await self.call("Runtime.evaluate", params)
        if "exceptionDetails" in answer:
            raise ProtocolError(f"{code}: {answer['result'].get('description')}")
        text: str = answer["result"]["value"]
        return text

    def _note(self, event: Message) -> None:
        if event["sessionId"] == self._session:
            details = event["params"]["exceptionDetails"]
            error = details.get("exception", {})
            self.errors.append(error.get("description") or details["text"])
