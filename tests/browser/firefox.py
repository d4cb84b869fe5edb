"""Firefox over WebDriver BiDi, which it speaks without a driver."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.browser.protocol import Message, Protocol, ProtocolError, started
from tests.browser.tabs import Tab

# It silences most by itself when it is driven, but not what it does when it starts.
PREFERENCES = """
user_pref("app.normandy.enabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.page", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.server", "data:,");
"""
FAILED_CONNECTION = re.compile("connection to .*(http|ws)s?://")
"""What it takes for an error of a page, though no script is told of one."""


class Firefox:
    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    @classmethod
    @asynccontextmanager
    async def start(cls, binary: str, profile: Path) -> AsyncIterator[Firefox]:
        (profile / "user.js").write_text(PREFERENCES)
        own = ["--headless", "--remote-debugging-port=0"]
        command = [binary, *own, "--profile", str(profile)]
        with started(command, profile) as url:
            async with Protocol.open(f"{url}/session") as protocol:
                await protocol.call("session.new", {"capabilities": {}})
                await protocol.call("session.subscribe", {"events": ["log.entryAdded"]})
                yield cls(protocol)
                await protocol.call("browser.close")

    async def new_tab(self) -> FirefoxTab:
        """Open one in front of the others."""
        created = await self._protocol.call("browsingContext.create", {"type": "tab"})
        return FirefoxTab(self._protocol, created["context"])


class FirefoxTab(Tab):
    def __init__(self, protocol: Protocol, context: str) -> None:
        super().__init__()
        self._protocol = protocol
        self._context = context
        protocol.hear("log.entryAdded", self._note)

    async def open(self, url: str) -> None:
        params = {"context": self._context, "url": url, "wait": "interactive"}
        await self._protocol.call("browsingContext.navigate", params)

    async def type(self, text: str) -> None:
        presses = [
            {"type": kind, "value": key}
            for key in text
            for kind in ("keyDown", "keyUp")
        ]
        keys = {"type": "key", "id": "keyboard", "actions": presses}
        params = {"context": self._context, "actions": [keys]}
        await self._protocol.call("input.performActions", params)

    async def close(self) -> None:
        await self._protocol.call("browsingContext.close", {"context": self._context})

    async def _evaluate(self, code: str) -> str:
        target = {"context": self._context}
        params = {"expression": code, "target": target, "awaitPromise": True}
        answer = await self._protocol.call("script.evaluate", params)
        if answer["type"] == "exception":
            raise ProtocolError(f"{code}: {answer['exceptionDetails']['text']}")
        text: str = answer["result"]["value"]
        return text

    def _note(self, event: Message) -> None:
        entry = event["params"]
        if entry["source"].get("context") != self._context:
            return
        is_error = entry["type"] == "javascript" and entry["level"] == "error"
        if is_error and not FAILED_CONNECTION.search(entry["text"]):
            self.errors.append(entry["text"])
