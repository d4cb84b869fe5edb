from __future__ import annotations

from collections.abc import Sequence

from sse_components.joined import Joined
from sse_components.wire import Frame


def test_bytes_are_made_once_for_all_that_are_sent_the_same() -> None:
    made: list[int] = []

    @Joined
    def joined(frames: Sequence[Frame]) -> bytes:
        made.append(len(frames))
        return b"".join([frame.sse for frame in frames])

    one, other = Frame("test", b"1"), Frame("test", b"2")
    assert joined([one, other]) == joined([one, other]) == one.sse + other.sse
    assert made == [2]
    assert joined([one]) == one.sse
    assert joined([other]) == other.sse
    assert made == [2, 1, 1]
