"""Systems that run the examples of docs/api.md as a reader would."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import hatch_build
from tests.recipes.page import files

SECONDS = 40
"""After which a program hangs."""


class System:
    """Has what the page calls the examples' own: files, an address, a key."""

    def __init__(self, folder: Path, url: str, key: str) -> None:
        self.url = url
        self._folder = folder
        self.key = key
        for name, text in files().items():
            if name.startswith("sse_api."):
                (folder / name).write_text(text)

    async def run(self, language: str, text: str, **environment: str) -> str:
        """Return what a program prints, which has to succeed."""
        async with self.started(language, text, **environment) as process:
            async with asyncio.timeout(SECONDS):
                printed, errors = await process.communicate()
            assert process.returncode == 0, printed.decode() + errors.decode()
        return printed.decode()

    @asynccontextmanager
    async def started(
        self, language: str, text: str, **environment: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Have a program run, and end it."""
        process = await asyncio.create_subprocess_exec(
            *_command(language, text),
            cwd=self._folder,
            env=self._environment | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,  # so that what it has started ends too
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "SSE_KEY": self.key,
            "SSE_URL": self.url,
        }


def _command(language: str, text: str) -> list[str]:
    match language:
        case "python":
            return [sys.executable, "-c", text]
        case "js":
            node = hatch_build.node()
            assert node, "There is no Node.js"
            return [node, "--input-type=module", "--eval", text]
    return ["bash", "-euo", "pipefail", "-c", text]
