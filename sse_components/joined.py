"""What many connections are sent at once, as bytes made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sse_components.wire import Frame


class Joined:
    """Remembers the last: most connections are sent what the one before was sent."""

    def __init__(self, encode: Callable[[Sequence[Frame]], bytes]) -> None:
        self._encode = encode
        self._frames: Sequence[Frame] = ()
        self._bytes = b""

    def __call__(self, frames: Sequence[Frame]) -> bytes:
        """Return the bytes of frames that nobody changes any more."""
        if self._frames != frames:
            self._bytes = self._encode(frames)
            self._frames = frames
        return self._bytes
