from __future__ import annotations

import json
from base64 import b64decode

import pytest

from sse_components import channels, wire
from sse_components.brokers.base import Delivery
from sse_components.edge import holds, items
from sse_components.errors import InvalidCursor
from sse_components.events import Event, Position

AT = Position("7f3a", 17)
PLACES = {"demo.todo.*": AT, "news.local": Position("7f3a", 4)}


def test_an_id_is_a_position_without_a_colon() -> None:
    assert holds.id_of(AT) == "7f3a-17"
    assert holds.position_of("7f3a-17") == AT


@pytest.mark.parametrize("id", ["", "7f3a", "7f3a:17", "7f3a-1-7", "-17", "7f3a-x"])
def test_what_is_no_id_of_ours_is_refused(id: str) -> None:
    with pytest.raises(InvalidCursor):
        holds.position_of(id)


def test_a_vector_is_a_cursor_that_every_server_reads() -> None:
    vector = holds.vector(PLACES)
    tags = [channels.tag(name) for name in PLACES]
    assert str(vector) == f"{tags[0]}:7f3a-17,{tags[1]}:7f3a-4"
    assert wire.parse_cursor(str(vector)) == vector


def test_what_was_had_under_other_names_stands_beside_it() -> None:
    before = Position("7f3a", 3)
    had = wire.Vector({"0" * 8: before, channels.tag("news.local"): before})
    found = holds.vector(PLACES, had).positions
    ours = holds.vector(PLACES).positions
    assert found["0" * 8] == before
    assert {tag: found[tag] for tag in ours} == dict(ours)


def test_the_ids_of_as_many_groups_as_there_may_be_are_not_too_long() -> None:
    longest = Position("e" * 16, 2**53 - 1)
    places = {f"group.{number}": longest for number in range(holds.MAX_NAMES)}
    text = str(holds.vector(places))
    assert len(text) <= wire.MAX_CURSOR
    assert wire.parse_cursor(text) == holds.vector(places)


def headers(**changes: object) -> dict[str, str]:
    given = {"holds": True, "seconds": 59.5, "keep_alive": 15.0} | changes
    return holds.headers(PLACES, "sse-.ticket", "/sse/grip", **given)  # type: ignore[arg-type]


def test_a_hold_names_each_channel_with_where_it_is() -> None:
    said = headers()
    todo, news = map(channels.channel, PLACES)
    assert said["Grip-Hold"] == "stream"
    assert said["Grip-Channel"] == (
        f"{todo}; prev-id=7f3a-17; filter=build-id, "
        f"{news}; prev-id=7f3a-4; filter=build-id, "
        "sse-.ticket; prev-id=0"
    )
    tags = [channels.tag(name) for name in PLACES]
    ids = f"{tags[0]}:%({todo})s,{tags[1]}:%({news})s"
    assert said["Grip-Set-Meta"] == f'id_format="{ids}"'
    assert said["Grip-Link"] == "</sse/grip>; rel=next; timeout=60"


def test_a_keep_alive_says_nothing_of_a_position() -> None:
    text, *parameters = headers()["Grip-Keep-Alive"].split("; ")
    assert parameters == ["format=base64", "timeout=15"]
    assert b64decode(text) == b'event: keep-alive\ndata: {"type":"keep-alive"}\n\n'


def test_an_answer_that_goes_on_at_once_differs_in_nothing_but_the_hold() -> None:
    said = headers(holds=False)
    assert "Grip-Hold" not in said
    assert said | {"Grip-Hold": "stream"} == headers()


def test_of_grip_last_channels_and_ids_are_read() -> None:
    # Several headers of one name are joined by commas, by every server.
    given = "sse-a.1; last-id=7f3a-17,sse-.b.c; last-id=0, sse-d.2;last-id=7f3a-4"
    assert holds.last_ids(given) == {
        "sse-a.1": "7f3a-17",
        "sse-.b.c": "0",
        "sse-d.2": "7f3a-4",
    }
    assert holds.last_ids("") == holds.last_ids("nonsense, a; b=c") == {}


EVENT = Event(AT, "demo.todo.7", "50%I", b'{"n":"100 %"}', None)


def test_an_event_for_the_filter_has_every_percent_sign_twice() -> None:
    written = holds.event(EVENT, b"the-id").decode()
    assert written.startswith("event: 50%%I\nid: the-id\ndata: ")
    data = written.partition("data: ")[2].replace("%%", "%")
    assert json.loads(data) == json.loads(wire.event(EVENT).json)


def test_an_item_says_what_it_follows_under_its_name() -> None:
    item = items.item(Delivery("demo.todo.*", 4, EVENT))
    content = item["formats"]["http-stream"].pop("content")
    assert item == {
        "channel": channels.channel("demo.todo.*"),
        "id": "7f3a-17",
        "prev-id": "7f3a-4",
        "formats": {"http-stream": {"content-filters": ["build-id"]}},
    }
    assert content == holds.event(EVENT, b"%I").decode()


def test_an_item_of_a_first_event_follows_nothing() -> None:
    assert items.item(Delivery("demo.todo.7", 0, EVENT))["prev-id"] == "7f3a-0"


def test_a_hint_carries_nothing() -> None:
    assert items.hint("news.local") == {
        "channel": channels.channel("news.local"),
        "formats": {"http-stream": {"action": "hint"}},
    }
    assert json.loads(items.body([items.hint("a")])) == {"items": [items.hint("a")]}
