from __future__ import annotations

from typing import Any

import pytest

from tests.clients import Account, Follower, Received

PUBLISHED = {"e:2": "news.a", "e:3": "news.b", "e:4": "news.c"}


def frame(type: str, id: str | None, **data: Any) -> Received:
    return Received(type, data, id, [])


def account(*frames: Received) -> Account:
    """Return that of somebody who follows two groups from 1 on."""
    follower = Follower("http://127.0.0.1/sse/stream")
    follower.groups = {"news.a", "news.b"}
    follower.frames = [frame("stream-open", "e:1"), *frames]
    return follower.account(PUBLISHED)


A = frame("notify", "e:2", group="news.a")
B = frame("notify", "e:3", group="news.b")
RESET = frame("stream-reset", None, groups=["news.a"])
QUIET = frame("keep-alive", "e:9")


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([A, B, QUIET], Account(delivered=2, repeated=0)),
        ([B, QUIET], Account(delivered=1, repeated=0, lost=[2])),
        ([A], Account(delivered=1, repeated=0, lost=[3])),
        ([RESET, B, QUIET], Account(delivered=1, repeated=0, reset=[2])),
        ([A, RESET, QUIET], Account(delivered=1, repeated=0, lost=[3])),
        ([RESET, QUIET], Account(delivered=0, repeated=0, reset=[2], lost=[3])),
        ([A, A, B, QUIET], Account(delivered=2, repeated=1)),
        ([B, A, QUIET], Account(delivered=2, repeated=1)),
    ],
    ids=[
        "all", "a gap", "the end", "a reset", "a reset of another group",
        "a reset of one of two", "twice", "out of order",
    ],
)  # fmt: skip
def test_what_became_of_what_was_published_is_told(
    frames: list[Received], expected: Account
) -> None:
    assert account(*frames) == expected
