from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.servers import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DEFINED = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)\(", file.read_text())
}


@pytest.mark.parametrize(
    ("page", "what"), [("security", "threat"), ("mistakes", "mistake")]
)
def test_every_row_names_a_test_and_every_test_that_is_named_exists(
    page: str, what: str
) -> None:
    lines = (ROOT / "docs" / f"{page}.md").read_text().splitlines()
    table = [*lines[lines.index(f"| {what} | what stops it | test |") + 2 :], ""]
    rows = table[: table.index("")]
    assert len(rows) > 15
    for row in rows:
        *_, cell, _ = row.split("|")
        named = re.findall(r"`(test_\w+)`", cell)
        assert named, row
        assert set(named) <= DEFINED


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_a_page_names_only_what_there_is(page: Path) -> None:
    for path, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in _anchors(target), f"{path}#{anchor}"


def _anchors(page: Path) -> set[str]:
    """Return what GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_all_that_can_be_wrong_with_a_model_is_in_its_page() -> None:
    source = (ROOT / "sse_components" / "reactive" / "base.py").read_text()
    page = (ROOT / "docs" / "models.md").read_text()
    checks = re.findall(r'id="(sse_components\.\w+)"', source)
    assert checks
    assert re.findall(r"^\| `(sse_components\.\w+)`", page, re.MULTILINE) == checks
