from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_components import channels, wire
from sse_components.errors import InvalidCursor, InvalidPayload
from sse_components.events import MAX_SEQ, Event, Position
from tests.clients import Parser, Received

GOLDEN = Path(__file__).parent / "golden"


def at(seq: int) -> Position:
    return Position("7f3a9c21", seq)


def opened(id: Position | None, groups: list[str], denied: list[str]) -> wire.Frame:
    return wire.stream_open(
        id,
        connection="Vb3…",
        groups=groups,
        denied=denied,
        keep_alive=15,
        retry=2000,
        expires=3600 if id else None,
    )


def parsed(stream: bytes) -> list[Received]:
    """Read as a browser does: CRLF, CR and LF end a line, nothing else does."""
    parser = Parser()
    lines = re.split("\r\n|\r|\n", stream.decode())
    events = [parser.line(line) for line in lines[:-1]]
    return [event for event in events if event]


def created() -> wire.Frame:
    return wire.event(
        Event(
            at(1763799845130002),
            "demo.todo",
            "component.created",
            b'{"data":{"title":"Milk"},"component_id":null,"target_group":null}',
            "Tab-1.42",
        )
    )


FRAMES: dict[str, Callable[[], wire.Frame]] = {
    "stream_open_without_id": lambda: opened(
        None, ["broadcast", "news.updates"], ["demo.todo.7"]
    ),
    "data_changed": lambda: wire.event(
        Event(
            at(1763799845130001),
            "news.updates",
            "component.data_changed",
            '{"data":{"headline":"…"},"update":false}'.encode(),
        )
    ),
    "data_changed_update": lambda: wire.event(
        Event(
            at(1763799845000000),
            "news.updates",
            "component.data_changed",
            b'{"data":{},"update":true}',
        )
    ),
    "created": created,
    "created_spread": lambda: created().spread_over(10_000),
    "removed": lambda: wire.event(
        Event(
            at(1763799845130003),
            "demo.todo",
            "component.removed",
            b'{"component_id":null,"key":"7","target_group":"demo.todo.7"}',
        )
    ),
    "notify": lambda: wire.event(
        Event(
            at(1763799845130004),
            "broadcast",
            "notify",
            wire.dumps(
                {
                    "event_name": "tetra:alert",
                    "data": {"text": 'Tea & <b>cake</b>\nat "five"'},
                }
            ),
        )
    ),
    "notify_spread": lambda: wire.event(
        Event(
            at(1763799845130006),
            "broadcast",
            "notify",
            b'{"event_name":"tetra:alert","data":{}}',
        )
    ).spread_over(250),
    "own_type": lambda: wire.event(
        Event(at(1763799845130005), "shop.stock", "stock", b"[1,2.5,null]")
    ),
    "keep_alive": lambda: wire.keep_alive(None),
    "keep_alive_with_id": lambda: wire.keep_alive(at(1763799845130001)),
    "stream_reset": lambda: wire.stream_reset(None, ["news.updates", "demo.todo"]),
    "stream_reset_of_all": lambda: wire.stream_reset(
        at(1763799845130001), ["news.updates"]
    ),
    "stream_reset_spread": lambda: wire.stream_reset(
        None, ["news.updates", "demo.todo"], 250
    ),
    "stream_reset_of_all_spread": lambda: wire.stream_reset(
        at(1763799845130001), ["news.updates"], 5000
    ),
    "stream_error": lambda: wire.stream_error(
        "forbidden", "Nothing asked for is allowed.", ["demo.todo.7"]
    ),
    "stream_close": lambda: wire.stream_close("shutdown", 1500),
}


# A28
@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_the_golden_one(name: str) -> None:
    assert FRAMES[name]().sse == (GOLDEN / f"{name}.sse").read_bytes()


def test_a_stream_begins_as_the_golden_one() -> None:
    beginning = (
        wire.retry(2000) + opened(at(1763799845123456), ["news.updates"], []).sse
    )
    assert beginning == (GOLDEN / "stream_open.sse").read_bytes()


def test_every_golden_file_is_compared() -> None:
    files = {path.stem for path in GOLDEN.glob("*.sse")}
    assert files == {*FRAMES, "stream_open"}


# A9
@pytest.mark.parametrize("name", FRAMES)
def test_a_websocket_gets_the_bytes_of_the_data_line(name: str) -> None:
    frame = FRAMES[name]()
    (line,) = re.findall(rb"^data: (.*)$", frame.sse, re.MULTILINE)
    assert frame.json == line


@pytest.mark.parametrize("name", FRAMES)
def test_an_object_names_its_type_and_the_id_that_the_frame_has(name: str) -> None:
    (event,) = parsed(FRAMES[name]().sse)
    assert event.data["type"] == event.type
    assert event.data.get("id") == event.id


def test_a_spread_changes_nothing_else_and_is_added_once() -> None:
    plain = created()
    text = plain.text
    spread = plain.spread_over(250)
    assert json.loads(spread.text) == {**json.loads(text), "spread": 250}
    assert (spread.group, spread.seq) == (plain.group, plain.seq)
    assert spread.spread_over(500) is spread
    assert plain.text == text
    assert plain.spread_over(0) is plain


def test_a_spread_is_written_once_for_all_who_get_the_same() -> None:
    frame = created()
    first = frame.spread_over(250)
    assert frame.spread_over(250) is first
    assert frame.spread_over(500).json.endswith(b',"spread":500}')
    assert first.json.endswith(b',"spread":250}')


def test_what_nobody_fetches_for_has_no_spread() -> None:
    frame = FRAMES["own_type"]()
    assert frame.spread_over(250) is frame
    assert wire.keep_alive(at(1)).spread_over(250).json.count(b"spread") == 0


def test_conditions_and_reasons_are_those_of_the_protocol() -> None:
    assert set(get_args(wire.Condition)) == {
        "forbidden",
        "grant_expired",
        "bad_request",
        "too_many_groups",
        "revoked",
    }
    assert set(get_args(wire.Reason)) == {
        "shutdown",
        "rotated",
        "slow",
        "busy",
        "unavailable",
        "regrant",
    }


@pytest.mark.parametrize(
    ("seq", "ts"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (1763799845100000, "2025-11-22T08:24:05.100000Z"),
        (2**53 - 1, "2255-06-05T23:47:34.740991Z"),
    ],
)
def test_ts_is_the_seq_as_utc_time(seq: int, ts: str) -> None:
    frame = wire.event(Event(at(seq), "a", "b", b"null"))
    assert json.loads(frame.json)["ts"] == ts


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
types = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"),
    min_size=1,
    max_size=200,
)
senders = st.none() | st.from_regex(
    r"[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}", fullmatch=True
)
groups = st.from_regex(r"[A-Za-z0-9_-]{1,9}(\.[A-Za-z0-9_-]{1,9}){0,3}", fullmatch=True)
positions = st.builds(
    Position,
    st.from_regex("[A-Za-z0-9]{1,16}", fullmatch=True),
    st.integers(0, MAX_SEQ),
)
vectors = st.builds(
    wire.Vector,
    st.dictionaries(
        st.from_regex("[0-9a-f]{8}", fullmatch=True), positions, min_size=1, max_size=20
    ),
)


@given(positions, groups, types, json_values, senders)
def test_any_event_is_one_data_line_that_reads_back(
    position: Position, group: str, type: str, payload: Any, sender: str | None
) -> None:
    data = wire.dumps(payload)
    frame = wire.event(Event(position, group, type, data, sender))
    head, line, end, nothing = frame.sse.rsplit(b"\n", 3)
    assert (end, nothing) == (b"", b"")
    assert head == f"event: {type}\nid: {position}".encode()
    assert line == b"data: " + frame.json
    assert not set(b"\r\n\0") & set(frame.json)

    (event,) = parsed(frame.sse)
    assert event.type == type
    assert event.id == str(position)
    assert event.data.pop("ts").endswith("Z")
    assert list(event.data.items()) == [
        ("id", str(position)),
        ("type", type),
        ("group", group),
        ("payload", payload),
        ("sender", sender),
    ]


def test_json_is_compact_and_keeps_the_order_of_names() -> None:
    value = {"b": [1, 2.5, None, True], "a": {"ü": "ß"}}
    assert wire.dumps(value).decode() == '{"b":[1,2.5,null,true],"a":{"ü":"ß"}}'


def test_json_leaves_what_ends_no_line_of_a_stream() -> None:
    assert wire.dumps("é\u2028\u2029\x85/</") == '"é\u2028\u2029\x85/</"'.encode()
    assert wire.dumps("\r\n\0\x0b\x0c\x1c") == rb'"\r\n\u0000\u000b\f\u001c"'


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def circular() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("nan"), id="NaN"),
        pytest.param([float("inf")], id="infinity"),
        pytest.param({float("-inf"): 1}, id="infinity as a name"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param({"\udfff": 1}, id="lone surrogate in a name"),
        pytest.param(object(), id="object"),
        pytest.param({(1, 2): 3}, id="tuple as a name"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param(10**5000, id="5000 digits"),
        pytest.param(nested(100_000), id="deep"),
        pytest.param(circular(), id="circular"),
    ],
)
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(InvalidPayload) as caught:
        wire.dumps(value)
    assert len(str(caught.value)) < 300


def test_what_json_does_not_know_is_given_to_default() -> None:
    assert wire.dumps([{1}, {2}], default=list) == b"[[1],[2]]"


VECTOR = wire.Vector({"12345678": at(5), "9abcdef0": at(7)})


def test_a_frame_under_another_id_keeps_the_one_in_its_object() -> None:
    frame = created()
    moved = frame.at(VECTOR)
    assert moved.sse == frame.sse.replace(
        b"\nid: 7f3a9c21:1763799845130002\n",
        b"\nid: 12345678:7f3a9c21-5,9abcdef0:7f3a9c21-7\n",
    )
    assert moved.json == frame.json
    assert (moved.group, moved.seq) == (frame.group, frame.seq)
    assert moved.at(at(1763799845130002)).sse == frame.sse
    spread = frame.spread_over(250)
    assert spread.at(VECTOR).json == spread.json


@pytest.mark.parametrize(
    "frame",
    [
        opened(None, [], []).at(VECTOR),
        wire.keep_alive(VECTOR),
        wire.stream_reset(VECTOR, ["a"]),
        wire.stream_reset(at(1), ["a"]).at(VECTOR),
    ],
)
def test_a_vector_can_be_the_id_of_what_is_no_event(frame: wire.Frame) -> None:
    (event,) = parsed(frame.sse)
    assert event.id == str(VECTOR)


@given(positions)
def test_a_position_reads_back_from_its_text(position: Position) -> None:
    assert wire.parse_cursor(str(position)) == position
    assert wire.parse_position(str(position)) == position


@given(vectors)
def test_a_vector_reads_back_from_its_text(vector: wire.Vector) -> None:
    assert wire.parse_cursor(str(vector)) == vector
    assert str(wire.parse_cursor(str(vector))) == str(vector)


def test_a_vector_names_groups_by_their_tags() -> None:
    vector = wire.Vector({channels.tag("news.*"): Position("7f3a", 9)})
    assert str(vector) == f"{channels.tag('news.*')}:7f3a-9"
    assert wire.parse_cursor(str(vector)) == vector


EDGES = [
    "0:0",
    "a:9007199254740991",
    f"{'Z' * 16}:1",
    "00000000:0-0",
    "12345678:a-1,9abcdef0:b-9007199254740991",
    ",".join(f"{n:08}:{'Z' * 8}-{10**15}" for n in range(29)),
]


@pytest.mark.parametrize("text", EDGES)
def test_a_cursor_may_go_to_the_edges(text: str) -> None:
    assert str(wire.parse_cursor(text)) == text


def refusal(text: str, parse: Callable[[str], wire.Id] = wire.parse_position) -> str:
    with pytest.raises(InvalidCursor) as caught:
        parse(text)
    return str(caught.value)


PAST_THE_EDGES = [
    "",
    ",",
    "12345678:a-1,",
    ",12345678:a-1",
    "12345678:a-1,12345678:a-2",
    "12345678:a-1, 9abcdef0:a-2",
    "12345678:a-1,9abcdef0:a:2",
    "1234567:a-1",
    "123456789:a-1",
    "1234567G:a-1",
    "ABCDEF01:a-1",
    "12345678:-1",
    f"12345678:{'Z' * 17}-1",
    "12345678:a-",
    "12345678:a-01",
    "12345678:a--1",
    "12345678:a-9007199254740992",
    "12345678:a-1\n",
    "12345678:a-٣",
    "12345678:a-1" + ",12345678:a-1" * 100_000,
    ",".join(f"{n:08}:{'Z' * 8}-{10**15}" for n in range(30)),
]


@pytest.mark.parametrize("text", PAST_THE_EDGES)
def test_what_is_nearly_a_vector_is_refused(text: str) -> None:
    assert text == "" or text not in refusal(text, wire.parse_cursor)


def test_where_one_position_is_asked_for_a_vector_is_refused() -> None:
    assert refusal("12345678:a-1") == refusal("-")


near_misses = st.text("aZ09:٣é +-._,\0\r\n", max_size=24) | st.from_regex(
    r"\w{0,18}:\d{0,20}\s?", fullmatch=True
)


@given(st.text() | near_misses)
def test_any_text_is_a_position_with_that_text_or_refused(text: str) -> None:
    try:
        position = wire.parse_position(text)
    except InvalidCursor as error:
        assert str(error) == refusal("-")
    else:
        assert str(position) == text
        assert 0 <= position.seq < 2**53
        assert 1 <= len(position.epoch) <= 16


# A66
@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "7f3a9c21",
        "7f3a9c21:",
        ":1",
        "a:01",
        "a:00",
        "a:-1",
        "a:+1",
        "a: 1",
        " a:1",
        "a:1 ",
        "a:1\n",
        "a:1\r",
        "a:1\0",
        "\0a:1",
        "a\0:1",
        "a:1:2",
        "a:1,b:2",
        "a:1.0",
        "a:1e3",
        "a:1_0",
        "a:0x1",
        "a-b:1",
        "a:\u0663",  # Arabic-Indic three
        "a:1\u0663",
        "a:\uff11",  # fullwidth one
        "\u0663:1",
        "é:1",
        "\ud800:1",
        "error",
        "a:9007199254740992",
        "a:9999999999999999",
        "a:10000000000000000",
        f"{'a' * 17}:1",
        f"a:{'1' * 1100}",
        f"a:{'0' * 5000}",
        "<script>alert(1)</script>" * 50,
    ],
)
def test_a_hostile_cursor_is_refused_in_the_same_words(text: str) -> None:
    assert refusal(text) == refusal("-")
