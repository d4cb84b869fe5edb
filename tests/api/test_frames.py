"""What streams really send is what the document says, and nothing else."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from sse_components import ComponentDispatcher, arevoke, wire
from sse_components.asgi import Application
from sse_components.dispatcher import publish_drafts
from sse_components.events import Event, Position
from sse_components.operations import row_changed
from tests.api.clients import KEYED, Person, System
from tests.api.schemas import Document, document, faults, strict
from tests.communicator import Exchange, connect, request

ALIEN = "0badcafe:1763799845123456"
"""A cursor of an epoch that the broker doesn't know."""
ROOM = "/sse/stream?group=chat.room"
POSITION = Position("7f3a9c21", 1763799845130001)


@pytest.fixture(scope="module")
def described() -> Document:
    return strict(document()["components"])


def schema_of(type: str, union: str, described: Document) -> str:
    """Return the name of what describes a type."""
    mapping = described["schemas"][union]["discriminator"]["mapping"]
    reference: str = mapping.get(type, "#/components/schemas/OwnEvent")
    return reference.rpartition("/")[2]


def assert_described(
    frames: Iterable[Any], described: Document, union: str = "Frame"
) -> None:
    """Check frames, and that the one schema of a union or none is right for each."""
    for frame in frames:
        name = schema_of(frame["type"], union, described)
        reference = {"$ref": f"#/components/schemas/{name}"}
        assert faults(reference, described, frame) == [], frame
        whole = {"$ref": f"#/components/schemas/{union}"}
        assert (faults(whole, described, frame) == []) == (name != "OwnEvent")


def data_of(exchange: Exchange) -> list[Any]:
    """Return the data of all that has come."""
    lines = exchange.body.decode().split("\n")
    texts = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(text) for text in texts]


async def publish_everything(system: System) -> None:
    """Publish an event of each kind, with what it can have and without."""
    by = {"sender": "tab.request"}
    data = {"data": {"headline": "Hello"}}
    target = {"target_group": "chat.other"}
    for operation, body in (
        ("data-changed", {}),
        ("data-changed", {**data, **by, "update": True}),
        ("notify", {"event_name": "tetra:alert", **data, **by}),
        ("component-created", {}),
        ("component-created", {**data, **target, **by, "component_id": "news.A:1"}),
        ("component-removed", {}),
        ("component-removed", {**target, **by, "key": "1", "component_id": "news.A:1"}),
    ):
        answer = await system.post(f"/groups/chat.room/{operation}", body)
        assert answer.status == 202, answer.text
    await publish_drafts([row_changed("chat.room", "demo.todo", {"done": True})])
    await ComponentDispatcher.publish("chat.room", "report.ready")
    await ComponentDispatcher.publish("chat.room", "report.ready", [{"pages": 7}])


def built() -> list[wire.Frame]:
    """Frames for which it takes a thousand connections, or another misfortune."""
    count = Event(POSITION, "chat.room", "presence.count", b'{"members":1001}')
    published = [
        Event(POSITION, "chat.room", type, payload, "tab.request")
        for type, payload in (
            ("component.data_changed", b'{"data":{},"update":true}'),
            (
                "component.created",
                b'{"data":{},"component_id":null,"target_group":null}',
            ),
            (
                "component.removed",
                b'{"component_id":null,"key":null,"target_group":null}',
            ),
            ("notify", b'{"event_name":"tetra:alert","data":{}}'),
            ("presence.join", b'{"user":"7"}'),
            ("presence.leave", b'{"user":"7"}'),
            ("presence.online", b'{"user":"7","last_seen":null}'),
            ("presence.offline", b'{"user":"7","last_seen":null}'),
        )
    ]
    spread = [wire.event(event).spread_over(4000) for event in [*published, count]]
    resets = [
        wire.stream_reset(None, ["chat.room"]),
        wire.stream_reset(POSITION, ["chat.room"], spread=4000),
    ]
    return [*spread, *resets, wire.keep_alive(None)]


async def refused(app: Application, address: str, headers: dict[str, str]) -> Any:
    """Return the one frame of a stream that is none."""
    async with request(app, address, headers) as exchange:
        await exchange.rest()
    (data,) = data_of(exchange)
    return data


@pytest.fixture
async def heard(app: Application, system: System, anna: Person) -> list[Any]:
    """What streams carry, and how they end, as far as that is easily had."""
    address = f"{ROOM}&group=presence.users"
    watching = request(app, address, KEYED | {"Last-Event-ID": ALIEN})
    async with watching as exchange:
        await exchange.until("keep-alive")
        await publish_everything(system)
        async with request(app, ROOM, anna.headers) as revoked:
            await exchange.until("presence.join")
            await arevoke(anna.id, "chat.room")
            await revoked.rest()
        left = {"presence.leave", "presence.offline"}
        while left:
            left.discard((await exchange.next()).type)
    error = await refused(app, "/sse/groups/secret.plans", {})
    async with request(app, ROOM, KEYED) as present:
        await present.until("keep-alive")
    return [*data_of(exchange), *data_of(revoked), *data_of(present), error]


def test_a_stream_sends_what_is_described(
    heard: list[Any], described: Document
) -> None:
    assert_described(heard, described)
    types = {frame["type"] for frame in heard}
    mapping = described["schemas"]["Frame"]["discriminator"]["mapping"]
    assert types == mapping.keys() - {"presence.count"} | {"report.ready"}


def test_what_takes_a_crowd_is_described(described: Document) -> None:
    assert_described([json.loads(frame.json) for frame in built()], described)


def test_nothing_is_described_that_is_never_sent(
    heard: list[Any], described: Document
) -> None:
    sent: dict[str, set[str]] = defaultdict(set)
    for frame in [*heard, *(json.loads(one.json) for one in built())]:
        name = schema_of(frame["type"], "Frame", described)
        sent[name] |= frame.keys()
        payload = described["schemas"][name]["properties"].get("payload", {})
        if reference := payload.get("$ref"):
            sent[reference.rpartition("/")[2]] |= frame["payload"].keys()
    mapping = described["schemas"]["Frame"]["discriminator"]["mapping"]
    for type in [*mapping, "report.ready"]:
        assert schema_of(type, "Frame", described) in sent
    for name, members in sent.items():
        assert members == described["schemas"][name]["properties"].keys(), name


async def test_a_websocket_says_and_hears_what_is_described(
    app: Application, described: Document
) -> None:
    said: list[dict[str, Any]] = [
        {"type": "ping"},
        {"type": "subscribe"},
        {
            "type": "subscribe",
            "grants": [],
            "groups": ["chat.room", "secret.plans"],
            "last_event_id": ALIEN,
        },
        {"type": "unsubscribe", "groups": ["chat.room", "broadcast"]},
    ]
    heard: list[Any] = []
    async with connect(app, "/sse/stream") as connection:
        for message in said:
            await connection.say(**message)
        await connection.say(type="nonsense")
        while not heard or heard[-1]["type"] != "stream-error":
            heard.append((await connection.next()).data)
    assert_described(heard, described, "SocketFrame")
    assert {"pong", "subscription.response", "stream-reset"} <= {
        frame["type"] for frame in heard
    }
    statuses = {frame["status"] for frame in heard if "status" in frame}
    assert statuses == {"subscribed", "unsubscribed", "error"}
    message = {"$ref": "#/components/schemas/SocketMessage"}
    assert [faults(message, described, one) for one in said] == [[]] * len(said)
    assert faults(message, described, {"type": "nonsense"})


@pytest.mark.parametrize(
    "type", ["notify", "stream-open", "component.own", "presence.own", "error"]
)
def test_what_belongs_to_the_library_is_not_described_as_ones_own(
    type: str, described: Document
) -> None:
    event = Event(POSITION, "chat.room", type, b"null")
    own = {"$ref": "#/components/schemas/OwnEvent"}
    assert faults(own, described, json.loads(wire.event(event).json))
