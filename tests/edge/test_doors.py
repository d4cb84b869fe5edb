"""Who is answered what, and what ends a stream that a Pushpin holds."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake
from websockets.typing import Origin

from sse_components.doctor import streaming
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Level
from tests.clients import Stream
from tests.doctor.told import levels
from tests.e2e.test_wsgi import script
from tests.edge.followers import Follower
from tests.edge.worlds import World, WSGIServer, opened

pytestmark = [pytest.mark.alone, pytest.mark.timeout(60)]


async def test_a_request_that_no_proxy_has_signed_gets_no_hold(world: World) -> None:
    claim = {"iss": "pushpin", "exp": int(time.time()) + 60}
    forged = jwt.encode(claim, "somebody else's key, as long as it has to be", "HS256")
    late = jwt.encode(claim | {"exp": 1}, world.pushpin.key, "HS256")
    endless = jwt.encode({"iss": "pushpin"}, world.pushpin.key, "HS256")
    for signature in ("", "nonsense", forged, late, endless):
        stream = await opened(world.server.url, ["news.a"], **{"Grip-Sig": signature})
        assert "grip-hold" not in stream.headers
        if isinstance(world.server, WSGIServer):
            assert stream.status == 501
        else:
            assert stream.status == 200
            first, *_, last = await stream.until("keep-alive")
            assert first.type == "stream-open"
            assert "," not in (last.id or ",")  # one position, as ever
        await stream.close()
        given = {"Grip-Sig": signature, "Grip-Last": "sse-news.a.0; last-id=a-1"}
        url = f"{world.server.url}/sse/grip"
        async with httpx.AsyncClient() as client:
            assert (await client.get(url, headers=given)).status_code == 403


async def test_what_the_proxy_asks_can_not_be_asked_through_it(world: World) -> None:
    given = {"Grip-Last": "sse-news.a.0; last-id=a-1"}
    async with httpx.AsyncClient(base_url=world.url) as client:
        answer = await client.get("/sse/grip", headers=given)
        assert (answer.status_code, answer.text) == (400, "There is no Grip-Last.")
        answer = await client.get("/sse/grip/abc.def")
        assert "stream-close" in answer.text
        assert not [name for name in answer.headers if name.startswith("grip-")]


async def test_the_doctor_finds_a_held_stream_well(world: World) -> None:
    found = await asyncio.to_thread(
        list, streaming.findings(Address.of(world.url), None)
    )
    assert set(levels(found).values()) == {Level.OK}
    assert "a GRIP proxy holds the stream." in [one.text for one in found]


async def test_an_event_comes_at_once_and_as_on_any_transport(world: World) -> None:
    await world.publish(("news.a", "before"))
    stream = await opened(world.url, ["news.a"])
    frames = await stream.until("keep-alive")
    assert [frame.type for frame in frames] == ["stream-open", "keep-alive"]
    assert frames[0].data["groups"] == ["broadcast", "news.a"]
    await asyncio.sleep(1.5)  # after which Pushpin asks about its new channels
    began = time.monotonic()
    (id,) = await world.publish(("news.a", '100 % \\ " ü %I %%'))
    event = await stream.next()
    assert time.monotonic() - began < 2
    assert event.type == "notify"
    assert event.data["id"] == id
    assert event.data["payload"]["event_name"] == '100 % \\ " ü %I %%'
    assert event.data["payload"]["data"] == {"%": "%I"}
    assert id.replace(":", "-") in (event.id or "")
    asked, began = world.pushpin.asked, time.monotonic()
    for _ in range(5):  # it is told which one each follows, and needn't ask
        (id,) = await world.publish(("news.a", "after"))
        assert (await stream.next()).data["id"] == id
    assert time.monotonic() - began < 2
    assert world.pushpin.asked <= asked + 1  # because it was time to
    await stream.close()


async def test_more_groups_than_pushpin_takes_are_refused(world: World) -> None:
    names = [f"news.{'x' * 180}.{number}" for number in range(19)]
    async with httpx.AsyncClient(base_url=world.url) as client:  # and broadcast
        answer = await client.get("/sse/stream", params={"group": names})
    assert answer.status_code == 200  # or a native EventSource would give up
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.text.startswith("event: stream-error\nid: error\n")
    assert '"condition":"too_many_groups"' in answer.text
    assert "at most 19 groups" in answer.text


async def test_as_many_groups_as_it_takes_are_heard(world: World) -> None:
    names = [f"news.{'x' * 180}.{number}" for number in range(18)]
    async with Follower(world.url, names) as follower:
        ids = await world.publish(*((name, "one") for name in names))
        await follower.has(ids)
        ids += await world.publish(*((name, "two") for name in names))
        await follower.has(ids)
        await follower.drop()
        ids += await world.publish(*((name, "three") for name in names))
        await follower.has(ids)
        follower.assert_exact(ids)


async def test_a_pattern_stands_for_its_groups(world: World) -> None:
    names = ["demo.todo.*", *(f"demo.todo.{number}" for number in range(30))]
    async with Follower(world.url, names) as follower:
        ids = await world.publish(*((name, "one") for name in names[1:]))
        await follower.has(ids)
        follower.assert_exact(ids)


async def test_a_long_absence_is_made_good_in_parts(world: World) -> None:
    name = "news.long"
    async with Follower(world.url, [name, "news.a"]) as follower:
        ids = await world.publish((name, "first"))
        await follower.has(ids)
        cursor = follower.cursor
    for _ in range(5):
        ids += await world.publish(*((name, "again") for _ in range(150)), size=1000)
    async with Follower(world.url, [name, "news.a"], cursor) as follower:
        await follower.has(ids[1:])
        await follower.until(lambda: follower.types.count("keep-alive") > 0)
        assert follower.ids == ids[1:]
        more = await world.publish((name, "last"))
        await follower.has(more)
        follower.assert_exact([*ids[1:], *more])
        assert follower.types.count("stream-open") == 1


async def test_a_client_that_wants_to_stop_is_let_go(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.url) as client:
        given = {"Last-Event-ID": "error"}
        answer = await client.get("/sse/stream?group=news.a", headers=given)
        assert answer.status_code == 204  # at which an EventSource stops for good
        answer = await client.get(
            "/sse/stream?group=news.a", headers={"Origin": "https://other.example"}
        )
        assert answer.status_code == 403
        answer = await client.get("/sse/groups/secret")
        assert '"condition":"forbidden"' in answer.text


async def test_one_group_alone_is_held_too(world: World) -> None:
    await world.publish(("news.a", "before"))
    stream = await Stream.open(f"{world.url}/sse/groups/news.a")
    frames = await stream.until("keep-alive")
    assert frames[0].data["groups"] == ["news.a"]
    await world.publish(("news.a", "after"))
    assert (await stream.next()).data["payload"]["event_name"] == "after"
    await stream.close()


async def test_a_pages_grant_is_renewed_and_opens_a_stream(world: World) -> None:
    name, _, key = world.visitor["Cookie"].partition("=")
    async with httpx.AsyncClient(base_url=world.url, cookies={name: key}) as client:
        html = (await client.get("/")).text
        assert script(html, "stream") == "/sse/stream"
        token = {"X-CSRFToken": script(html, "csrf")}
        grant = script(html, "grant")
        given = {"grants": [grant, grant]}
        answer = await client.post("/sse/grants", json=given, headers=token)
        assert answer.status_code == 200, answer.text
        renewed = answer.json()["grant"]
        cookies = "; ".join(f"{key}={value}" for key, value in client.cookies.items())
    query = f"grant={renewed}&lastEventId={script(html, 'cursor')}"
    stream = await Stream.open(f"{world.url}/sse/stream?{query}", {"Cookie": cookies})
    first, *_, last = await stream.until("keep-alive")
    assert first.type == "stream-open"
    assert first.data["expires"] > 3000
    assert "news.updates" in first.data["groups"]
    assert last.data["id"] == last.id
    await stream.close()


async def test_who_is_disconnected_is_ended_within_seconds(
    world: World,
) -> None:
    mine = await Stream.open(f"{world.url}/sse/stream", world.visitor)
    other = await opened(world.url, ["news.a"])
    (opening, *_) = await mine.until("keep-alive")
    await other.until("keep-alive")
    (group,) = [name for name in opening.data["groups"] if name.startswith("auth.")]
    async with httpx.AsyncClient(headers=world.server.headers) as client:
        user = group.rpartition(".")[2]
        url = f"{world.server.url}/api/v1/users/{user}/disconnect"
        assert (await client.post(url)).status_code == 202
        again = await Stream.open(f"{world.url}/sse/stream", world.visitor)
    frame = await mine.next(4)
    assert (frame.type, frame.data["condition"]) == ("stream-error", "revoked")
    with pytest.raises(EOFError):
        await mine.next()
    await world.publish(("news.a", "goes on"))
    assert (await other.next()).type == "notify"
    # Who comes back at once has been let in after it, and isn't ended by it.
    await again.until("keep-alive")
    with pytest.raises(TimeoutError):
        await again.next(3)
    await mine.close()
    await other.close()
    await again.close()


async def test_who_loses_a_group_comes_back_to_be_decided_on_anew(
    world: World,
) -> None:
    url = f"{world.url}/sse/stream?group=news.a"
    stream = await Stream.open(url, world.visitor)
    opening, *_ = await stream.until("keep-alive")
    (group,) = [name for name in opening.data["groups"] if name.startswith("auth.")]
    async with httpx.AsyncClient(headers=world.server.headers) as client:
        user = group.rpartition(".")[2]
        url = f"{world.server.url}/api/v1/users/{user}/groups/news.a"
        assert (await client.delete(url)).status_code == 204
    frame = await stream.next(4)
    assert (frame.type, frame.data["reason"]) == ("stream-close", "regrant")
    await stream.close()


async def test_a_websocket_is_passed_on_to_a_server_that_has_them(
    world: World,
) -> None:
    url = world.url.replace("http", "ws")
    connecting = connect(f"{url}/sse/ws?group=news.a", origin=Origin(world.url))
    if isinstance(world.server, WSGIServer):
        with pytest.raises(InvalidHandshake):
            await connecting
        return
    async with connecting as socket:
        assert json.loads(await socket.recv())["type"] == "stream-open"
        (id,) = await world.publish(("news.a", "hello"))
        while (frame := json.loads(await socket.recv()))["type"] != "notify":
            pass
        assert frame["id"] == id


SEND = """
from django_eventstream import send_event
send_event("news.a", "hello", {"n": "100 %"})
"""


async def test_what_django_eventstream_sends_comes_once_and_as_ours(
    world: World,
) -> None:
    if world.redis is None:
        return  # a command's own embedded broker reaches nobody
    stream = await opened(world.url, ["news.a"])
    await stream.until("keep-alive")
    await asyncio.to_thread(world.server.manage, "shell", "-c", SEND)
    event = await stream.next()
    assert (event.type, event.data["payload"]) == ("hello", {"n": "100 %"})
    (id,) = await world.publish(("news.a", "after"))
    assert (await stream.next()).data["id"] == id
    await stream.close()
