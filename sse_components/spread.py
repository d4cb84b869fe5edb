"""Over how long browsers fetch that are told of the same at the same moment."""

from __future__ import annotations

FETCHES_PER_SECOND = 100
"""Of a process, by browsers that are told of the same: about half of what one serves
(docs/performance.md), so that others are still answered meanwhile."""
SPREAD_STEP = 250
"""Milliseconds: what is done within one needs no spreading, and in between the frame
for some more connections is the same."""
MOST_SPREAD = 30_000
"""Milliseconds: nobody waits longer, whatever that costs."""
LEAST_SPREAD_OF_ALL = 5_000
"""Milliseconds, if many fetch all that their pages show."""


def spread_for(connections: int) -> int:
    """Return over how many milliseconds so many fetch; 0 if they may do so at once."""
    milliseconds = connections * 1000 // FETCHES_PER_SECOND
    return min(milliseconds // SPREAD_STEP * SPREAD_STEP, MOST_SPREAD)


def spread_of_all_for(connections: int) -> int:
    """Return over how many milliseconds so many fetch all that their pages show."""
    spread = spread_for(connections)
    return max(spread, LEAST_SPREAD_OF_ALL) if spread else 0
