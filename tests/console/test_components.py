"""What components of the console do that needs no browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from pytest_django import Settings

from sse_components import runtime
from sse_components.brokers.memory import MemoryBroker
from sse_components.console import components
from sse_components.console.components import Publish, Visitors
from sse_components.console.components.staff import ForStaff
from sse_components.events import Event
from sse_components.waiting import wait_for

STAFF = User(pk=1, username="ada", is_staff=True)
ALL: list[tuple[type[ForStaff], tuple[str, ...]]] = [
    (components.Overview, ()),
    (components.Groups, ()),
    (components.Group, ("news.updates",)),
    (components.People, ()),
    (components.User, ("1",)),
    (components.Visitors, ()),
    (components.Tail, ()),
    (components.Publish, ()),
    (components.Why, ("", "", "")),
]


@pytest.fixture(autouse=True)
def broker(settings: Settings, db: None) -> Iterator[MemoryBroker]:
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | {"CONSOLE": True}
    broker = MemoryBroker()
    with runtime.publishing_to(broker):
        yield broker


def request_of(user: Any) -> HttpRequest:
    request = HttpRequest()
    request.user = user
    return request


@pytest.mark.parametrize(("component", "arguments"), ALL)
def test_staff_alone_can_load_any_of_it(
    component: type[ForStaff], arguments: tuple[str, ...], settings: Settings
) -> None:
    for user in (
        AnonymousUser(),
        User(pk=2, is_superuser=True),
        User(pk=3, is_staff=True, is_active=False),
    ):
        with pytest.raises(PermissionDenied):
            component(request_of(user), "/").load(*arguments)
    with pytest.raises(PermissionDenied):
        component(HttpRequest(), "/").load(*arguments)
    component(request_of(STAFF), "/").load(*arguments)
    settings.SSE_COMPONENTS = settings.SSE_COMPONENTS | {"CONSOLE": False}
    with pytest.raises(PermissionDenied):
        component(request_of(STAFF), "/").load(*arguments)


def published(broker: MemoryBroker, **props: object) -> Event:
    component = Publish(request_of(STAFF), "/")
    for name, value in ({"group": " news.updates "} | props).items():
        setattr(component, name, value)
    component.publish()
    assert component.fault == ""
    (event,) = remembered(broker)
    assert component.published == str(event.position)
    return event


def remembered(broker: MemoryBroker) -> Sequence[Event]:
    return wait_for(broker.history, "news.updates", 10).events


@pytest.mark.parametrize(
    ("props", "type", "payload"),
    [
        ({}, "component.data_changed", {"data": {}, "update": False}),
        (
            {"data": '{"n": 1}', "update": True},
            "component.data_changed",
            {"data": {"n": 1}, "update": True},
        ),
        (
            {"operation": "notify", "event_name": "tetra:alert", "data": '{"n": 1}'},
            "notify",
            {"event_name": "tetra:alert", "data": {"n": 1}},
        ),
        (
            {"operation": "created", "target_group": "news.other"},
            "component.created",
            {"data": {}, "component_id": None, "target_group": "news.other"},
        ),
        (
            {"operation": "removed", "key": "7", "data": "left over"},
            "component.removed",
            {"component_id": None, "key": "7", "target_group": None},
        ),
        (
            {"operation": "removed", "component_id": "news.NewsTicker:7"},
            "component.removed",
            {
                "component_id": "news.NewsTicker:7",
                "key": None,
                "target_group": None,
            },
        ),
        (
            {"operation": "own", "event_name": "report.ready", "data": "[1]"},
            "report.ready",
            [1],
        ),
    ],
)
def test_each_operation_is_published_as_it_is_from_python(
    broker: MemoryBroker, props: dict[str, object], type: str, payload: object
) -> None:
    event = published(broker, **props)
    assert (event.type, json.loads(event.payload)) == (type, payload)


@pytest.mark.parametrize(
    ("props", "fault"),
    [
        ({"group": ""}, "is not a group"),
        ({"group": "news.*"}, "is a pattern"),
        ({"group": "console.control"}, "isn't published by hand"),
        ({"data": "{"}, "isn't JSON"),
        ({"data": "[" * 10_000}, "isn't JSON"),
        ({"data": "1"}, "is an object"),
        ({"data": '{"x": "\\ud800"}'}, ""),
        ({"data": json.dumps({"x": "x" * 70_000})}, "carries at most"),
        ({"operation": "notify"}, "name of an event"),
        ({"operation": "notify", "event_name": "a\nb"}, "CR, LF or NUL"),
        ({"operation": "own", "event_name": "stream-open"}, "by hand"),
        ({"operation": "created", "target_group": "a b"}, "is not a group"),
    ],
)
def test_what_cannot_be_published_says_why(
    broker: MemoryBroker, props: dict[str, object], fault: str
) -> None:
    component = Publish(request_of(STAFF), "/")
    for name, value in ({"group": "news.updates"} | props).items():
        setattr(component, name, value)
    component.publish()
    assert component.fault and fault in component.fault
    assert component.published == ""
    assert not remembered(broker)


def test_only_connections_that_are_shown_are_ended() -> None:
    component = Visitors(request_of(STAFF), "/")
    component.load()
    with pytest.raises(Http404):
        component.reconnect("another's\nline")
