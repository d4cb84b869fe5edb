"""The results as a table, on the terminal or in Markdown.

    python -m tests.bench.report FILE

prints Markdown from the JSON of a run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TITLES = [
    *("workload", "server", "median", "p50 ms", "p99 ms", "max ms"),
    *("ratio", "target", "holds", "generator", "notes"),
]
NUMBERS = {"median", "p50 ms", "p99 ms", "max ms", "ratio", "generator"}
FOOTNOTES = [
    "Latency is from just before a publish is sent to each read of its bytes; in W13 "
    "it is that of a fetch.",
    "A peer's ratio is ours to the peer's; any other is to what the target names. "
    "It is the median of the ratios within each round.",
    "generator: the largest share of its core that the load generator was busy.",
]


def plain(report: dict[str, Any]) -> str:
    """Return the table in columns."""
    table = [TITLES, *map(_cells, report["rows"])]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for cells in table:
        aligned = [
            cell.rjust(width) if title in NUMBERS else cell.ljust(width)
            for title, cell, width in zip(TITLES, cells, widths, strict=True)
        ]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join([_summary(report), "", *lines, "", *FOOTNOTES])


def markdown(report: dict[str, Any]) -> str:
    """Return the table and what it was measured on, as a page has it."""
    rule = ["--:" if title in NUMBERS else "---" for title in TITLES]
    table = [TITLES, rule, *map(_cells, report["rows"])]
    lines = [f"| {' | '.join(cells)} |" for cells in table]
    versions = ", ".join(f"{n} {v}" for n, v in report["versions"].items())
    parts = [_summary(report), f"Versions: {versions}.", "\n".join(lines)]
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in FOOTNOTES)])


def _summary(report: dict[str, Any]) -> str:
    machine = report["machine"]
    return (
        f"{report['date']}, {report['rounds']} rounds in {report['seconds']:.0f} s; "
        f"{machine['cores']} cores, {machine['cpu']}, Linux {machine['kernel']}, "
        f"Python {machine['python']}."
    )


def _cells(row: dict[str, Any]) -> Sequence[str]:
    head = row["workload"], row["server"]
    target, note = row["target"], row["note"]
    if not row["rounds"]:
        return [*head, "", "", "", "", "", target, "", "", note]
    latency = row["latency_ms"] or {}
    facts = [f"{name}: {value:g}" for name, value in row["facts"].items()]
    return [
        *head,
        f"{_number(row['median'])} {row['unit']}",
        *(_number(latency.get(name)) for name in ("p50", "p99", "max")),
        "" if row["ratio"] is None else f"{row['ratio']:.2f}",
        target,
        {True: "yes", False: "no", None: ""}[row["holds"]],
        f"{row['generator_busy']:.0%}",
        ", ".join(filter(None, [*facts, note])),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text())))
