"""What docs/api.md shows: files, examples, and what these print."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.servers import ROOT
from tests.tutorials import Block, sections

PAGE = ROOT / "docs" / "api.md"
LANGUAGES = ("sh", "python", "js")
PRINTED_URL = "http://127.0.0.1:8000"

_NAME = re.compile(r"(?:#|//) ([\w/]+\.\w+)\n")
_VARIES = [
    re.compile(r"[0-9a-zA-Z]{1,16}:\d+"),
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
]


@dataclass(frozen=True, slots=True)
class Example:
    """What is run, and what it should print."""

    language: str
    text: str
    printed: str


def blocks() -> Iterator[tuple[str, Block]]:
    """Yield all blocks of the page, with the titles of their sections."""
    for section in sections(PAGE.read_text()):
        for block in section.blocks:
            yield section.title, block


def file_name(block: Block) -> str | None:
    """Return the name in the first line of a block that is a file."""
    found = _NAME.match(block.text)
    return found[1] if found else None


def files() -> dict[str, str]:
    """Return the files of the page by their names."""
    named = ((file_name(block), block.text) for _, block in blocks())
    return {name: text for name, text in named if name}


def examples(title: str) -> list[Example]:
    """Return what is run of a section."""
    found = [block for name, block in blocks() if name == title]
    shown = [block.text for block in found if block.language in ("json", "text")]
    assert len(shown) <= 1, f"It isn't clear what the examples of {title!r} print"
    printed = shown[0] if shown else ""
    return [
        Example(block.language, block.text, printed)
        for block in found
        if block.language in LANGUAGES and not file_name(block)
    ]


def assert_printed(example: Example, printed: str, url: str) -> None:
    """Check that what was printed is what the page shows.

    Ids and times are others, and `…` stands for anything.
    """
    shown = json.loads(example.printed.replace(PRINTED_URL, url))
    assert _is_alike(shown, json.loads(printed)), (
        f"It should have printed\n{example.printed}\nand has printed\n{printed}"
    )


def _is_alike(shown: Any, found: Any) -> bool:
    match shown, found:
        case dict(), dict():
            # The order too, as it is what a reader compares with.
            return list(shown) == list(found) and all(
                _is_alike(shown[name], found[name]) for name in shown
            )
        case list(), list():
            pairs = zip(shown, found, strict=False)
            return len(shown) == len(found) and all(_is_alike(*pair) for pair in pairs)
        case str(), str():
            return any(
                form.fullmatch(shown) and form.fullmatch(found)
                for form in (*_VARIES, _form_of(shown))
            )
    return type(shown) is type(found) and bool(shown == found)


def _form_of(text: str) -> re.Pattern[str]:
    parts = (re.escape(part) for part in text.split("…"))
    return re.compile(".+".join(parts) + "|" + re.escape(text), re.DOTALL)
