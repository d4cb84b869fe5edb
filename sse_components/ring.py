"""The last frames of a group, for those who come back in a moment."""

from __future__ import annotations

from collections import deque
from itertools import islice

from sse_components.wire import Frame

MAX_FRAMES = 1024
MAX_BYTES = 1024 * 1024

Frames = deque[tuple[int, Frame]]
NONE = Frames()
"""What is kept of a group that nothing is published to, as of most there are: an empty
deque takes 760 bytes."""


class Ring:
    """Frames by seq, ascending; the oldest give way."""

    __slots__ = ("_frames", "_size", "floor")

    def __init__(self) -> None:
        self._frames = NONE
        self._size = 0
        self.floor = 0
        """Of the frames that have given way, the greatest seq."""

    def append(self, seq: int, frame: Frame) -> None:
        """Add the newest frame."""
        if self._frames is NONE:
            self._frames = Frames()
        self._frames.append((seq, frame))
        self._size += len(frame.sse)
        while len(self._frames) > MAX_FRAMES or self._size > MAX_BYTES:
            self.floor, oldest = self._frames.popleft()
            self._size -= len(oldest.sse)

    def expire(self, seq: int) -> None:
        """Let the frames before a seq give way."""
        while self._frames and self._frames[0][0] < seq:
            self.floor, oldest = self._frames.popleft()
            self._size -= len(oldest.sse)
        if not self._frames:
            self._frames = NONE

    def after(self, seq: int, most: int) -> list[tuple[int, Frame]]:
        """Return frames after a seq, ascending: all, or just more than `most` bytes."""
        missed = 0
        for entry in reversed(self._frames):
            if entry[0] <= seq:
                break
            missed += 1
        frames = []
        size = 0
        for entry in islice(self._frames, len(self._frames) - missed, None):
            frames.append(entry)
            size += len(entry[1].sse)
            if size > most:
                break
        return frames
