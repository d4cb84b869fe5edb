from __future__ import annotations

import re

import pytest

from tests.servers import ROOT

DEFINED = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)\(", file.read_text())
}


def test_every_threat_has_a_test_and_every_test_that_is_named_exists() -> None:
    lines = (ROOT / "docs" / "security.md").read_text().splitlines()
    threats = lines[lines.index("| threat | what stops it | test |") + 2 :]
    rows = threats[: threats.index("")]
    assert len(rows) > 15
    for row in rows:
        *_, cell, _ = row.split("|")
        named = re.findall(r"`(test_\w+)`", cell)
        assert named, row
        assert set(named) <= DEFINED


@pytest.mark.parametrize("name", ["presence", "security"])
def test_a_page_names_only_what_there_is(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text()
    for path in re.findall(r"\]\(([^)#:]+)", text):
        assert (ROOT / "docs" / path).exists()
