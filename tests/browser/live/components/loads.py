"""How often components were loaded, and their methods called, by a name of theirs."""

from __future__ import annotations

from collections import Counter
from typing import Final

LOADS: Final[Counter[str]] = Counter()
