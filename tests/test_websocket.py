from __future__ import annotations

import pytest

from sse_components.websocket import _messages
from sse_components.wire import Frame


def _frame(size: int) -> Frame:
    return Frame("test", b"x" * size)


# RFC 6455 5.2: a last fragment, of text, not masked; the shortest way to say a length.
@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_message_says_its_length(size: int, head: bytes) -> None:
    assert _messages([_frame(size)]) == head + b"x" * size


def test_each_frame_is_a_message() -> None:
    assert _messages([_frame(1), _frame(2)]) == b"\x81\x01x\x81\x02xx"
