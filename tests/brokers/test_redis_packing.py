from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sse_components.brokers.redis.packing import packed, unpacked
from sse_components.events import Draft, Event, Position

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,9}(\.[A-Za-z0-9_-]{1,9}){0,3}", fullmatch=True)
TYPES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"),
    min_size=1,
    max_size=200,
)
SENDERS = st.from_regex(r"[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}", fullmatch=True)
PAYLOADS = st.binary().filter(lambda payload: not set(payload) & {10, 13})
DRAFTS = st.builds(Draft, NAMES, TYPES, PAYLOADS, st.none() | SENDERS)


@given(DRAFTS, st.integers(1, 2**53 - 1))
def test_what_was_packed_is_unpacked_as_it_was(draft: Draft, seq: int) -> None:
    position = Position("epoch", seq)
    event = Event(position, draft.group, draft.type, draft.payload, draft.sender)
    assert unpacked(position, packed(draft)) == event


def test_a_payload_may_be_empty() -> None:
    position = Position("epoch", 1)
    assert unpacked(position, packed(Draft("a", "test", b""))).payload == b""
