"""No block of the documentation is there that nothing runs, but three at most."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from tests import test_recipes
from tests.browser import test_tutorial
from tests.docs.pages import SKIPPED, Page
from tests.recipes.page import blocks, examples, file_name
from tests.servers import ROOT
from tests.tutorials import sections

DOCS = ROOT / "docs"
MOST_SKIPPED = 3
ELSEWHERE = {"tutorial.md", "api.md", "testing.md"}
"""Run by `tests/browser/test_tutorial.py`, by `tests/test_recipes.py` with
`tests/thorough/test_go.py`, and by `tests/test_testing_docs.py`."""
WITH_CODE = [
    path
    for path in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
    if "```" in path.read_text()
]
HERE = [path for path in WITH_CODE if path.name not in ELSEWHERE]


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.name)
def test_every_block_has_a_language(path: Path) -> None:
    for section in sections(path.read_text()):
        for block in section.blocks:
            assert block.language, block.text


@pytest.mark.parametrize("path", HERE, ids=lambda path: path.name)
def test_every_block_is_run_by_the_pages_tests(path: Path) -> None:
    name = path.stem.lower().replace("-", "_")
    module = import_module(f"tests.docs.test_{name}")
    page = module.PAGE
    assert isinstance(page, Page)
    assert page.path.resolve() == path
    for block in page.left:
        pytest.fail(f"{path.name} has what no test runs:\n{block.text}")
    for test in page.tests:
        assert test.startswith("test_"), f"{test} isn't run itself"
        assert hasattr(module, test), f"{test} is there twice, or not at all"
        marks = {mark.name for mark in getattr(module, test).pytestmark}
        assert not marks & {"skip", "skipif", "xfail", "thorough"}, test


def test_at_most_three_blocks_are_not_run_and_say_why() -> None:
    reasons = [
        f"{path.name}: {reason}"
        for path in WITH_CODE
        for reason, *_ in SKIPPED.findall(path.read_text())
    ]
    print("\n".join(["Not run:", *reasons]))
    assert len(reasons) <= MOST_SKIPPED, reasons


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.name)
def test_a_reason_stands_right_above_its_block(path: Path) -> None:
    text = path.read_text()
    assert text.count("<!-- not run") == len(SKIPPED.findall(text))
    if path.name in ELSEWHERE:
        assert not SKIPPED.search(text)


def test_the_tutorial_is_followed_from_end_to_end() -> None:
    source = Path(test_tutorial.__file__).read_text()
    followed = set(re.findall(r'\.follow\("(.+?)"', source))
    assert followed == {
        one.title for one in sections(test_tutorial.TUTORIAL.read_text())
    }
    assert "assert reader.is_done" in source


def test_all_that_the_page_of_the_api_shows_is_run() -> None:
    for title, block in blocks():
        assert (
            (title, block.language) in test_recipes.FOLLOWED
            or file_name(block) in test_recipes.FILES
            or any(one.printed == block.text for one in examples(title))
            or block.language == "django"  # of which that module takes the one there is
        ), block.text


def test_the_page_on_testing_has_nothing_but_tests_that_are_run() -> None:
    runner = (ROOT / "tests" / "test_testing_docs.py").read_text()
    count = 0
    for section in sections((DOCS / "testing.md").read_text()):
        for block in section.blocks:
            assert block.language == "python"
            names = (
                getattr(node, "name", "") for node in ast.walk(ast.parse(block.text))
            )
            count += sum(name.startswith("test_") for name in names)
    assert f'"{count} passed"' in runner
