"""What was published, and what a client says that it has heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SECONDS = 20
"""How long a test waits: a client takes its time to come back."""


class Record:
    """Ids with a name for each, in order: the event's type, or its group."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def add(self, name: str, id: str) -> None:
        self._entries.append((name, id))
        self._changed.set()

    def ids(self, *names: str) -> list[str]:
        return [id for name, id in self._entries if name in names]

    async def grows(self, count: int, *names: str) -> None:
        """Return when so many more of some names have been added."""
        known = len(self.ids(*names))
        await self.until(lambda: len(self.ids(*names)) >= known + count)

    async def until(
        self, condition: Callable[[], bool], seconds: float = SECONDS
    ) -> None:
        """Return when something holds of the entries."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()
