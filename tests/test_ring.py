from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sse_components.ring import MAX_BYTES, MAX_FRAMES, Ring
from sse_components.wire import Frame

ALL = 10 * MAX_BYTES


def filled(*sizes: int) -> Ring:
    """A ring of frames with the seqs 10, 20, … and so many bytes each."""
    ring = Ring()
    for number, size in enumerate(sizes, 1):
        ring.append(10 * number, frame_of(size))
    return ring


def frame_of(size: int) -> Frame:
    frame = Frame("", b"")
    frame.sse = b"x" * size
    return frame


def seqs(ring: Ring, after: int) -> list[int]:
    return [seq for seq, _ in ring.after(after, ALL)]


def test_a_new_ring_is_empty_and_complete() -> None:
    ring = Ring()
    assert ring.after(0, ALL) == []
    assert ring.floor == 0


def test_frames_come_back_oldest_first() -> None:
    ring, first, second = Ring(), Frame("a", b"1"), Frame("a", b"2")
    ring.append(1, first)
    ring.append(2, second)
    assert ring.after(0, ALL) == [(1, first), (2, second)]


def test_only_frames_after_the_seq_come_back() -> None:
    ring = filled(1, 1, 1)
    assert seqs(ring, 9) == [10, 20, 30]
    assert seqs(ring, 10) == [20, 30]
    assert seqs(ring, 15) == [20, 30]
    assert seqs(ring, 29) == [30]
    assert seqs(ring, 30) == []
    assert seqs(ring, 99) == []


def test_what_is_too_old_gives_way() -> None:
    ring = filled(1, 2, 3)
    ring.expire(20)
    assert (ring.floor, seqs(ring, 0)) == (10, [20, 30])
    ring.expire(31)
    assert (ring.floor, seqs(ring, 0)) == (30, [])


def test_reading_takes_nothing_away() -> None:
    ring = filled(1, 1)
    assert seqs(ring, 0) == seqs(ring, 0) == [10, 20]


def test_no_more_is_returned_than_just_more_than_asked_for() -> None:
    ring = filled(10, 10, 10, 10)
    assert [seq for seq, _ in ring.after(10, 15)] == [20, 30]
    assert [seq for seq, _ in ring.after(10, 20)] == [20, 30, 40]


def test_the_oldest_gives_way_to_one_frame_too_many() -> None:
    ring = filled(*[1] * MAX_FRAMES)
    assert ring.floor == 0
    assert len(ring.after(0, ALL)) == MAX_FRAMES
    ring.append(99_999, frame_of(1))
    assert ring.floor == 10
    assert len(ring.after(0, ALL)) == MAX_FRAMES
    assert seqs(ring, 0)[0] == 20


def test_the_oldest_give_way_to_one_byte_too_many() -> None:
    half = MAX_BYTES // 2
    ring = filled(1, half, half - 1)
    assert ring.floor == 0
    ring.append(40, frame_of(1))
    assert ring.floor == 10
    ring.append(50, frame_of(half))
    assert ring.floor == 20
    assert seqs(ring, 0) == [30, 40, 50]


def test_a_frame_too_large_for_the_ring_leaves_it_empty_and_usable() -> None:
    ring = filled(1, MAX_BYTES + 1)
    assert ring.floor == 20
    assert ring.after(0, ALL) == []
    ring.append(30, frame_of(MAX_BYTES))
    assert ring.floor == 20
    assert seqs(ring, 0) == [30]


# A57
@given(
    st.lists(st.sampled_from([1, MAX_BYTES // 7, MAX_BYTES // 2, MAX_BYTES + 1])),
    st.integers(0, 500),
)
def test_a_ring_has_every_frame_after_any_seq_from_its_floor_on(
    sizes: list[int], after: int
) -> None:
    ring = filled(*sizes)
    given = [10 * number for number in range(1, len(sizes) + 1)]
    kept = len(sizes)
    while kept and sum(sizes[-kept:]) > MAX_BYTES:
        kept -= 1
    gone = given[: len(given) - kept]
    assert ring.floor == (gone[-1] if gone else 0)
    wanted = [seq for seq in given if seq > max(after, ring.floor)]
    assert seqs(ring, after) == wanted
