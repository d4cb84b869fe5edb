"""The text of an event measured: when it was sent, found again in what is read.

A mark is `@`, `time.monotonic_ns()` in 19 digits, `@`; a letter follows, never a digit.
The first digit is 0 on a system that has been up for less than 31 years.
"""

from __future__ import annotations

import time
from typing import Final

OPENING: Final = b"@0"
DIGITS: Final = 19
LENGTH: Final = DIGITS + 2


def text(size: int = 100) -> str:
    """Return a text of so many bytes that says when it was made."""
    return f"@{time.monotonic_ns():0{DIGITS}}@".ljust(size, "x")


def scan(buffer: bytearray, size: int) -> tuple[int, int, bytes]:
    """Count the marks in the first `size` bytes.

    Returns how many are complete, the first one's nanoseconds (0 without one), and the
    end of the bytes if a mark may have begun there: it goes before what is read next.
    """
    end = size
    last = buffer.rfind(b"@", max(0, size - LENGTH + 1), size)
    if last >= 0 and (last == size - 1 or buffer[last + 1] == OPENING[1]):
        end = last
    count = buffer.count(OPENING, 0, end)
    if not count:
        return 0, 0, bytes(buffer[end:size])
    first = buffer.find(OPENING, 0, end) + 1
    return count, int(buffer[first : first + DIGITS]), bytes(buffer[end:size])
