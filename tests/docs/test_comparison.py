from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest

import sse_components
from tests.docs import pages
from tests.servers import ROOT

PAGE = pages.Page("comparison.md")
TEXT = PAGE.path.read_text()
UNITS = {
    "W1": ("deliveries/s", "{:,.0f}"),
    "W4": ("connections/s", "{:,.0f}"),
    "W5": ("KiB/connection", "{:.1f}"),
}


def rows(begin: str) -> list[list[str]]:
    """Return the cells of the table whose first line begins so, without its head."""
    (table,) = re.findall(
        rf"^\| {begin}.*\n\|[-|:]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE
    )
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
    ]


@cache
def measured() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs/performance.json").read_text())
    return found


def medians(workload: str) -> dict[str, str]:
    unit, form = UNITS[workload]
    found = [row for row in measured()["rows"] if row["workload"] == workload]
    assert {row["unit"] for row in found} == {unit}
    return {row["server"]: form.format(row["median"]) for row in found}


@pytest.mark.parametrize("column", [*enumerate(UNITS, 1)], ids=[*UNITS])
def test_what_was_measured_is_what_the_measurement_says(
    column: tuple[int, str],
) -> None:
    number, workload = column
    printed = {row[0]: row[number] for row in rows("server")}
    assert printed == medians(workload)


def test_how_much_faster_another_one_is_said_as_measured() -> None:
    (ratio,) = (
        row["ratio"]
        for row in measured()["rows"]
        if (row["workload"], row["server"]) == ("W4", "nchan")
    )
    assert ratio < 0.1
    assert "more than ten times as many\n  connections a second" in TEXT


def test_the_versions_are_those_that_were_measured() -> None:
    versions = measured()["versions"]
    assert sse_components.__version__ == versions["ours"]
    assert f"version {versions['ours']} of this library" in TEXT
    looked_at = {row[0]: row[1] for row in rows(r"\| version")}
    channels, redis = re.findall(r"[\d.]+", versions["Channels"])
    assert looked_at["Django Channels, channels_redis"] == f"{channels}, {redis}"
    assert looked_at["django-eventstream"] == versions["django-eventstream"]
    assert looked_at["nchan"] == versions["nchan"].replace(", ", ", in ")


def test_each_system_is_in_a_table_and_says_how_it_was_looked_at() -> None:
    names = {row[0].split(",")[0].split(" with ")[0] for row in rows(r"\| version")}
    heads = re.findall(r"^\| +\|(.+)\|$", TEXT, re.MULTILINE)
    compared = {cell.strip() for head in heads for cell in head.split("|")}
    compared = {name.split(",")[0].removeprefix("Django ") for name in compared}
    assert {name.removeprefix("Django ") for name in names} <= compared
