"""The pages of the documentation, and which of their blocks a test runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.servers import ROOT
from tests.tutorials import Block, sections

Test = TypeVar("Test", bound=Callable[..., object])

SKIPPED = re.compile(
    r"^<!-- not run: ([^\n]+) -->\n+```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)


class Page:
    """A page whose every block of code is run by a test of the module that has it.

    `PAGE.runs("A heading")` hands a test the blocks below that heading of the second
    level, as `blocks`; with languages, those of them. What stands before the first one
    is below `# The title`. What is left over is in `left`, and `test_census.py` fails
    for it.
    """

    def __init__(self, name: str) -> None:
        self.path: Path = ROOT / "docs" / name
        markdown = self.path.read_text()
        parts = sections(markdown)
        self._blocks = {part.title: part.blocks for part in parts}
        assert len(self._blocks) == len(parts), f"{name} has a heading twice"
        self._skipped = {Block(*rest): why for why, *rest in SKIPPED.findall(markdown)}
        self._run: list[Block] = []
        self.tests: list[str] = []
        """The names of the tests that run blocks."""

    @property
    def skipped(self) -> dict[str, str]:
        """Why blocks aren't run, by their texts."""
        return {block.text: why for block, why in self._skipped.items()}

    def blocks(self, heading: str, *languages: str) -> list[Block]:
        """Return what stands below a heading and may be run."""
        return [
            block
            for block in self._blocks[heading]
            if block not in self._skipped
            and (not languages or block.language in languages)
        ]

    def runs(self, heading: str, *languages: str) -> Callable[[Test], Test]:
        """Hand a test what stands below a heading."""
        blocks = self.blocks(heading, *languages)
        assert blocks, f"{self.path.name} has no such block below {heading!r}"
        self._run += blocks
        parametrize = pytest.mark.parametrize("blocks", [blocks], ids=[heading])

        def noted(test: Test) -> Test:
            self.tests.append(test.__name__)
            marked: Test = parametrize(test)
            return marked

        return noted

    @property
    def left(self) -> list[Block]:
        """Blocks that no test runs, and that don't say why."""
        return [
            block
            for blocks in self._blocks.values()
            for block in blocks
            if block not in self._run and block not in self._skipped
        ]
