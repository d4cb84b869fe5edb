from __future__ import annotations

import json
import re

from tests.chaos.faults import FAULTS
from tests.docs.pages import Page
from tests.servers import ROOT

PAGE = Page("reliability.md")
REPORT = json.loads((ROOT / "docs/reliability.json").read_text())
ROW = re.compile(r"^\| `(\w+)` \| (.*) \|$", re.MULTILINE)


def test_the_table_is_what_was_measured() -> None:
    told = {
        name: cells.split(" | ") for name, cells in ROW.findall(PAGE.path.read_text())
    }
    assert [*told] == [row["name"] for row in REPORT] == [one.name for one in FAULTS]
    for row in REPORT:
        due = row["delivered"] + row["reset"] + row["lost"]
        assert told[row["name"]] == [
            row["what"],
            f"{due:,}",
            f"{row['delivered'] / due:.2%}",
            f"{row['reset'] / due:.2%}",
            str(row["lost"]),
            str(row["twice"]),
            f"{row['refused']:,}",
            f"{row['silence']:.1f} s",
        ]
        assert not row["lost"] and not row["twice"]


def test_what_is_said_of_the_load_is_the_load() -> None:
    text = PAGE.path.read_text()
    (visitors,) = {row["visitors"] for row in REPORT if row["name"] != "storm"}
    assert f"{visitors} visitors" in text
    (storm,) = (row["visitors"] for row in REPORT if row["name"] == "storm")
    assert f"{storm:,} visitors" in text
