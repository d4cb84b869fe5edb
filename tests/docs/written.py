"""What a page says that is sent or printed, compared with what really is."""

from __future__ import annotations

import re

VARIES = [
    r"[0-9a-z]{8}:\d{16}",  # an id
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    r"\d+\.\d+ ms",
    r"Redis \d+\.\d+\.\d+",
]
"""Whose values are others each time; `…` stands for anything."""

_PARTS = re.compile("|".join(f"({form})" for form in [*VARIES, "…"]))


def assert_as_written(written: str, found: str) -> None:
    """Check that what was found is what is written, but for ids, times and the like."""
    written, form, end = written.strip(), "", 0
    for part in _PARTS.finditer(written):
        form += re.escape(written[end : part.start()])
        form += [*VARIES, ".+?"][(part.lastindex or 0) - 1]
        end = part.end()
    form += re.escape(written[end:])
    assert re.fullmatch(form, found.strip()), (
        f"It should have been\n{written}\nand is\n{found}"
    )
