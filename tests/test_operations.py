from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from project.demo.models import BreakingNews
from sse_components import operations, wire
from sse_components.errors import (
    InvalidEvent,
    InvalidGroup,
    InvalidPayload,
    PayloadTooLarge,
)
from sse_components.events import Draft, Event, Position

GOLDEN = Path(__file__).parent / "golden"
SESSION_KEY = "q3x8m1dkk2h0c7b5s9w4n6v2z1y0t8r7"


def payload(draft: Draft) -> Any:
    return json.loads(draft.payload)


def hashed(text: str) -> str:
    digest = urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"h-{digest[:22].decode()}"


# A28
@pytest.mark.parametrize(
    ("name", "seq", "draft"),
    [
        (
            "data_changed",
            1763799845130001,
            operations.data_changed("news.updates", {"headline": "…"}),
        ),
        (
            "data_changed_update",
            1763799845000000,
            operations.data_changed("news.updates", update=True),
        ),
        (
            "created",
            1763799845130002,
            operations.component_created(
                "demo.todo", {"title": "Milk"}, sender="Tab-1.42"
            ),
        ),
        (
            "removed",
            1763799845130003,
            operations.component_removed(
                "demo.todo", key=7, target_group="demo.todo.7"
            ),
        ),
        (
            "notify",
            1763799845130004,
            operations.notify(
                "broadcast", "tetra:alert", {"text": 'Tea & <b>cake</b>\nat "five"'}
            ),
        ),
        (
            "own_type",
            1763799845130005,
            operations.publish("shop.stock", "stock", [1, 2.5, None]),
        ),
    ],
)
def test_an_operation_s_frame_is_the_golden_one(
    name: str, seq: int, draft: Draft
) -> None:
    event = Event(
        Position("7f3a9c21", seq),
        draft.group,
        draft.type,
        draft.payload,
        draft.sender,
    )
    assert wire.event(event).sse == (GOLDEN / f"{name}.sse").read_bytes()


@pytest.mark.parametrize(
    ("draft", "members"),
    [
        (operations.data_changed("a"), '{"data":{},"update":false}'),
        (
            operations.data_changed("a", {"b": 1}, update=True),
            '{"data":{"b":1},"update":true}',
        ),
        (
            operations.component_created("a"),
            '{"data":{},"component_id":null,"target_group":null}',
        ),
        (
            operations.component_created("a", component_id="b.C:1", target_group="d"),
            '{"data":{},"component_id":"b.C:1","target_group":"d"}',
        ),
        (
            operations.component_removed("a"),
            '{"component_id":null,"key":null,"target_group":null}',
        ),
        (
            operations.component_removed("a", component_id="b.C:1"),
            '{"component_id":"b.C:1","key":null,"target_group":null}',
        ),
        (operations.notify("a", "b c"), '{"event_name":"b c","data":{}}'),
        (operations.publish("a", "b"), "null"),
        (operations.publish("a", "b", "text"), '"text"'),
    ],
)
def test_what_is_not_given_stands_with_its_default(draft: Draft, members: str) -> None:
    assert draft.payload.decode() == members
    assert draft.sender is None


# A29
@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(
            datetime(2026, 11, 22, 8, 24, 5, tzinfo=UTC),
            "2026-11-22T08:24:05Z",
            id="datetime",
        ),
        pytest.param(
            datetime(2026, 11, 22, 8, 24, 5, 130001),
            "2026-11-22T08:24:05.130",
            id="naive datetime",
        ),
        pytest.param(date(2026, 11, 22), "2026-11-22", id="date"),
        pytest.param(timedelta(hours=1), "P0DT01H00M00S", id="timedelta"),
        pytest.param(Decimal("12.50"), "12.50", id="Decimal"),
        pytest.param(
            UUID("6f1d3f1e-0c1a-4c38-9d0e-0d2b6f0a1b2c"),
            "6f1d3f1e-0c1a-4c38-9d0e-0d2b6f0a1b2c",
            id="UUID",
        ),
        pytest.param(gettext_lazy("Yes"), "Yes", id="lazy string"),
        pytest.param(User(pk=7), 7, id="model"),
        pytest.param(BreakingNews(), None, id="model that is not saved"),
        pytest.param(SimpleLazyObject(lambda: User(pk=8)), 8, id="lazy model"),
        pytest.param([User(pk=7), {"by": User(pk=8)}], [7, {"by": 8}], id="inside"),
        pytest.param((1, "two"), [1, "two"], id="tuple"),
        pytest.param("é\u2028\r\n\0", "é\u2028\r\n\0", id="text"),
    ],
)
def test_what_django_code_has_at_hand_travels(value: object, written: object) -> None:
    assert payload(operations.data_changed("a", {"v": value}))["data"] == {"v": written}
    assert payload(operations.component_created("a", {"v": value}))["data"] == {
        "v": written
    }
    assert payload(operations.notify("a", "b", {"v": value}))["data"] == {"v": written}
    assert payload(operations.publish("a", "b", value)) == written


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


# A29
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(object(), id="object"),
        pytest.param({1, 2}, id="set"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param(User, id="model class"),
        pytest.param(lambda: 1, id="function"),
        pytest.param(float("nan"), id="NaN"),
        pytest.param(float("-inf"), id="infinity"),
        pytest.param("\ud83d", id="lone surrogate"),
        pytest.param({"\ud83d": 1}, id="lone surrogate in a name"),
        pytest.param({(1, 2): 3}, id="tuple as a name"),
        pytest.param(nested(100_000), id="nested too deeply"),
    ],
)
def test_what_is_not_json_is_an_error_of_the_publisher(value: object) -> None:
    publishers: list[Callable[[], Draft]] = [
        lambda: operations.data_changed("a", {"v": value}),
        lambda: operations.component_created("a", {"v": value}),
        lambda: operations.notify("a", "b", {"v": value}),
        lambda: operations.publish("a", "b", value),
    ]
    for publish in publishers:
        with pytest.raises(InvalidPayload) as caught:
            publish()
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("data", [[], "text", 7, [("a", 1)], User(pk=7)])
def test_data_is_an_object_with_names(data: Any) -> None:
    publishers: list[Callable[[], Draft]] = [
        lambda: operations.data_changed("a", data),
        lambda: operations.component_created("a", data),
        lambda: operations.notify("a", "b", data),
    ]
    for publish in publishers:
        with pytest.raises(InvalidPayload, match="data is an object"):
            publish()


def test_data_may_be_any_mapping() -> None:
    draft = operations.data_changed("a", MappingProxyType({"b": 1}))
    assert payload(draft)["data"] == {"b": 1}


def test_a_payload_may_be_64_kib_and_not_a_byte_more() -> None:
    text = "é" * (32 * 1024 - 1)  # two bytes each, and two quotes
    assert len(operations.publish("a", "b", text).payload) == 65_536
    with pytest.raises(PayloadTooLarge, match="65537 bytes"):
        operations.publish("a", "b", f"{text}x")
    assert len(operations.data_changed("a", {"b": text[:-20]}).payload) < 65_536
    with pytest.raises(PayloadTooLarge):
        operations.data_changed("a", {"b": text})


PUBLISHERS: dict[str, Callable[[Any], Draft]] = {
    "data_changed": lambda group: operations.data_changed(group),
    "component_created": lambda group: operations.component_created(group),
    "component_removed": lambda group: operations.component_removed(group),
    "notify": lambda group: operations.notify(group, "b"),
    "publish": lambda group: operations.publish(group, "b"),
    "created target": lambda group: operations.component_created(
        "a", target_group=group
    ),
    "removed target": lambda group: operations.component_removed(
        "a", target_group=group
    ),
}
GROUPS = [name for name in PUBLISHERS if "target" not in name]
TARGETS = [name for name in PUBLISHERS if "target" in name]


# A24
@pytest.mark.parametrize(
    "group",
    [
        "",
        " ",
        "a b",
        "a\n",
        "ü",
        "a..b",
        "**",
        "x" * 201,
        0,
        7,
        "session.",
    ],
)
@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_what_is_no_group_is_a_value_error(publisher: str, group: object) -> None:
    with pytest.raises(ValueError, match="is not a group") as caught:
        PUBLISHERS[publisher](group)
    assert isinstance(caught.value, InvalidGroup)


# A24
@pytest.mark.parametrize("publisher", GROUPS)
def test_no_group_at_all_is_a_value_error(publisher: str) -> None:
    with pytest.raises(InvalidGroup, match="None is not a group"):
        PUBLISHERS[publisher](None)


@pytest.mark.parametrize("group", ["news.*", "demo.todo.*", "session.*"])
@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_a_pattern_cannot_be_published_to(publisher: str, group: str) -> None:
    with pytest.raises(InvalidGroup, match="is a pattern"):
        PUBLISHERS[publisher](group)


# A22
@pytest.mark.parametrize("publisher", GROUPS)
def test_a_session_is_published_to_without_its_key(publisher: str) -> None:
    draft = PUBLISHERS[publisher](f"session.{SESSION_KEY}")
    assert draft.group == f"session.{hashed(SESSION_KEY)}"
    assert PUBLISHERS[publisher](draft.group).group == draft.group
    assert SESSION_KEY not in repr(draft)


# A22
@pytest.mark.parametrize("publisher", GROUPS)
def test_a_session_key_of_any_engine_is_published_to(publisher: str) -> None:
    key = "eyJhIjoxfQ:1xVo5t:signature.with everything"
    draft = PUBLISHERS[publisher](f"session.{key}")
    assert draft.group == f"session.{hashed(key)}"


# A22
@pytest.mark.parametrize("publisher", TARGETS)
def test_a_session_is_a_target_without_its_key(publisher: str) -> None:
    draft = PUBLISHERS[publisher](f"session.{SESSION_KEY}")
    assert payload(draft)["target_group"] == f"session.{hashed(SESSION_KEY)}"
    assert SESSION_KEY not in repr(draft)


@pytest.mark.parametrize("publisher", TARGETS)
def test_a_target_is_not_where_the_event_goes(publisher: str) -> None:
    draft = PUBLISHERS[publisher]("demo.todo.7")
    assert draft.group == "a"
    assert payload(draft)["target_group"] == "demo.todo.7"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (7, "7"),
        (0, "0"),
        ("slug-1", "slug-1"),
        ("a.b", hashed("a.b")),
        ("ann@example.com", hashed("ann@example.com")),
        ("", hashed("")),
        ("ü", hashed("ü")),
        ('"><script>', hashed('"><script>')),
        (100 * "x", 100 * "x"),
        (101 * "x", hashed(101 * "x")),
    ],
)
def test_a_key_is_named_as_on_its_component(key: object, text: str) -> None:
    assert payload(operations.component_removed("a", key=key))["key"] == text


@given(st.text())
def test_any_key_can_be_removed(key: str) -> None:
    text = payload(operations.component_removed("a", key=key))["key"]
    assert text == key or text.startswith("h-")


# CWE-93
@pytest.mark.parametrize("name", ["", "a\n", "a\rb", "a\0", "\ud800", "x" * 201, None])
def test_an_event_name_that_could_forge_a_field_is_refused(name: Any) -> None:
    with pytest.raises(InvalidEvent, match="The name of an event"):
        operations.notify("a", name)
    with pytest.raises(InvalidEvent, match="An event's type"):
        operations.publish("a", name)


@pytest.mark.parametrize("name", ["stream-open", "keep-alive", "tetra:alert", "Ω"])
def test_any_other_event_name_will_do(name: str) -> None:
    assert payload(operations.notify("a", name))["event_name"] == name


@pytest.mark.parametrize(
    "type", ["component.data_changed", "stream-close", "keep-alive", "presence.join"]
)
def test_a_type_of_the_library_cannot_be_sent_by_hand(type: str) -> None:
    with pytest.raises(InvalidEvent, match="can't be sent by hand"):
        operations.publish("a", type)


def test_the_sender_travels_beside_the_payload() -> None:
    for draft in (
        operations.data_changed("a", sender="Tab.1"),
        operations.component_created("a", sender="Tab.1"),
        operations.component_removed("a", sender="Tab.1"),
        operations.notify("a", "b", sender="Tab.1"),
        operations.publish("a", "b", sender="Tab.1"),
    ):
        assert draft.sender == "Tab.1"
        assert b"Tab.1" not in draft.payload
    with pytest.raises(InvalidEvent, match="is not a sender"):
        operations.data_changed("a", sender="Tab")
