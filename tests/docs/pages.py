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

SKIPPED = re.compile(r"^<!-- not run: (.+) -->\n+```\w*\n(.*?)^```$", re.S | re.M)


class Page:
    """A page whose every block of code is run by a test of the module that has it.

    `PAGE.runs("A heading")` hands a test the blocks below that heading of the second
    level, as `blocks`; with languages, those of them. What is left over is in `left`,
    and `test_census.py` fails for it.
    """

    def __init__(self, name: str) -> None:
        self.path: Path = ROOT / "docs" / name
        markdown = self.path.read_text()
        self._blocks = {part.title: part.blocks for part in sections(markdown)}
        self.skipped = {text: reason for reason, text in SKIPPED.findall(markdown)}
        self._run: list[Block] = []

    def runs(self, heading: str, *languages: str) -> Callable[[Test], Test]:
        """Hand a test what stands below a heading."""
        blocks = [
            block
            for block in self._blocks[heading]
            if not languages or block.language in languages
        ]
        assert blocks, f"{self.path.name} has no such block below {heading!r}"
        self._run += blocks
        return pytest.mark.parametrize("blocks", [blocks], ids=[heading])

    @property
    def left(self) -> list[Block]:
        """Blocks that no test runs, and that don't say why."""
        return [
            block
            for blocks in self._blocks.values()
            for block in blocks
            if block not in self._run and block.text not in self.skipped
        ]
