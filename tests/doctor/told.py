"""What the doctor tells, by what it looked at."""

from __future__ import annotations

from collections.abc import Iterable

from sse_components.doctor.findings import Finding, Level


def levels(findings: Iterable[Finding]) -> dict[str, Level]:
    """Return how each thing is, and see that what isn't well has a cure."""
    found = list(findings)
    for one in found:
        assert one.text
        assert bool(one.cure) == (one.level is not Level.OK), one
    assert len({one.subject for one in found}) == len(found), found
    return {one.subject: one.level for one in found}


def worst(findings: Iterable[Finding]) -> Finding:
    """Return the one thing that isn't well."""
    (one,) = (one for one in findings if one.level is not Level.OK)
    assert one.cure
    return one
