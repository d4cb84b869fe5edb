"""A tab of a browser that is driven without Playwright, whichever browser it is."""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any

from tests.browser.protocol import ProtocolError


class Tab(ABC):
    """In it a test opens pages, looks at them with JavaScript, and types."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        """What its pages have thrown, and nothing has caught."""

    @abstractmethod
    async def open(self, url: str) -> None:
        """Go to a page; its document is there when this returns."""

    @abstractmethod
    async def type(self, text: str) -> None:
        """Press the keys of a text, wherever the focus is."""

    @abstractmethod
    async def close(self) -> None:
        """Close it, and have the visitor see another one of its browser's."""

    @abstractmethod
    async def _evaluate(self, code: str) -> str:
        """Return the text to which the promise of an expression resolves."""

    async def js(self, code: str) -> Any:
        """Return the value of an expression or its promise, or run a block."""
        value = f"await (() => {code})()"
        return json.loads(
            await self._evaluate(f"(async () => JSON.stringify([{value}]))()")
        )[0]

    async def until(self, condition: str, seconds: float = 10) -> None:
        """Return when an expression is true, of whatever page is there then."""
        deadline = time.monotonic() + seconds
        found: Any = None
        while not found:
            assert time.monotonic() < deadline, f"It has not become true: {condition}"
            await asyncio.sleep(0.02)
            with suppress(ProtocolError):  # it was asked of a page that is gone
                found = await self.js(condition)
