from __future__ import annotations

import json

import pytest

from sse_components.testing.frames import Parser, ReceivedEvent

STREAM = (
    "\ufeffevent: stream-open\nid: 0:1\ndata: {}\n\n"
    ": a comment\nretry: 2000\n\n"
    'event:notify\rid:0:2\rdata:{"a":\rdata:"Ünï"}\r\r'
    'data: {"b": " "}\r\nunknown: x\r\nid\r\n\r\n'
    "event: nothing\n\ndata\n\n"
    'id: 0:3\0\ndata:  {"c": 1}\n\n'
    'data: {"never": "dispatched"}\n'
).encode()
EVENTS = [
    ReceivedEvent("stream-open", {}, "0:1"),
    ReceivedEvent("notify", {"a": "Ünï"}, "0:2"),
    ReceivedEvent("message", {"b": " "}, ""),
    ReceivedEvent("message", {"c": 1}, None),
]


def test_a_stream_is_read_as_browsers_read_it() -> None:
    assert Parser().feed(STREAM) == EVENTS


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_stream_may_be_cut_anywhere(size: int) -> None:
    parser = Parser()
    parts = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [event for part in parts for event in parser.feed(part)] == EVENTS


def test_an_event_comes_with_its_last_byte() -> None:
    parser = Parser()
    assert parser.feed(b"data: {}\n") == []
    assert parser.feed(b"\n") == [ReceivedEvent("message", {})]


def test_an_event_is_shown_with_all_it_says() -> None:
    event = ReceivedEvent("notify", {"payload": {"a": "Ü"}, "group": "a.b"}, "0:1")
    name, _, data = str(event).partition(" ")
    assert name == "notify"
    assert json.loads(data) == event.data
    assert event.is_published
    assert not event.ends


@pytest.mark.parametrize(
    ("event", "ends"),
    [
        (ReceivedEvent("stream-close", {}), True),
        (ReceivedEvent("stream-error", {}, "error"), True),
        (ReceivedEvent("stream-error", {}), False),
        (ReceivedEvent("stream-reset", {}, "0:1"), False),
    ],
)
def test_some_frames_end_a_stream(event: ReceivedEvent, ends: bool) -> None:
    assert event.ends is ends
    assert not event.is_published
