from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from tests.clients import Stream
from tests.redis_servers import RedisServer
from tests.servers import Server

SITE = "tests.e2e.eventstream_site:application"
GROUP = "news.updates"
OURS = f"/sse/groups/{GROUP}"
THEIRS = f"/events/?channel={GROUP}"
WAYS = ["from_a_sync_view", "from_an_async_view", "from_a_thread"]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.close()


@pytest.fixture(scope="module", params=["memory", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    redis: RedisServer = request.getfixturevalue("redis")
    return redis.url


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, broker_url: str) -> Iterator[Server]:
    environment = {"SSE_BROKER_URL": broker_url, "SSE_HISTORY_SIZE": "5"}
    folder = tmp_path_factory.mktemp("site")
    site = Server(folder, environment=environment, application=SITE)
    site.start()
    yield site
    assert site.stop() == 0
    assert "Traceback" not in site.log
    assert "ERROR" not in site.log


async def call(
    site: Server, view: str, body: object = "", group: str = GROUP, **query: str
) -> str:
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{site.url}/{view}",
            params={"group": group} | query,
            content=str(body),
        )
    answer.raise_for_status()
    return answer.text


async def send(site: Server, *numbers: int) -> None:
    for number in numbers:
        await call(site, WAYS[0], number)


async def opened(site: Server, target: str, cursor: str | None = None) -> Stream:
    headers = {"Last-Event-ID": cursor} if cursor else {}
    return await Stream.open(site.url + target, headers)


# A68
@pytest.mark.parametrize("way", WAYS)
async def test_what_send_event_sends_reaches_our_streams(
    site: Server, way: str
) -> None:
    stream = await opened(site, OURS)
    await stream.until("keep-alive")
    await call(site, way, 7, type="price")
    (event,) = await stream.take(1)
    assert event.type == event.data["type"] == "price"
    assert event.data["group"] == GROUP
    assert event.data["payload"] == {"n": "7"}
    assert event.id == event.data["id"]
    assert event.id
    epoch, seq = event.id.split(":")
    assert epoch.isalnum()
    assert seq.isdecimal()
    await stream.close()


# A68
async def test_what_send_event_sent_is_replayed_once_and_in_order(
    site: Server,
) -> None:
    stream = await opened(site, OURS)
    await stream.until("keep-alive")
    await send(site, 1)
    await stream.take(1)
    cursor = stream.cursor
    await stream.close()

    await send(site, 2, 3, 4)
    stream = await opened(site, OURS, cursor)
    first, *missed, _ = await stream.until("keep-alive")
    assert (first.type, first.id) == ("stream-open", cursor)
    assert [event.data["payload"]["n"] for event in missed] == ["2", "3", "4"]
    await send(site, 5)
    (event,) = await stream.take(1)
    assert event.data["payload"] == {"n": "5"}
    await stream.close()


# A68
async def test_text_that_is_no_json_reaches_our_streams_as_text(
    site: Server,
) -> None:
    stream = await opened(site, OURS)
    await stream.until("keep-alive")
    await call(site, WAYS[0], "<b>two\nlines</b>", text="yes")
    (event,) = await stream.take(1)
    assert event.data["payload"] == "<b>two\nlines</b>"
    await stream.close()


# A68
async def test_what_is_sent_to_no_group_is_left_to_django_eventstream(
    site: Server,
) -> None:
    stream = await opened(site, OURS)
    await stream.until("keep-alive")
    for number in range(2):
        await call(site, WAYS[0], number, group="not a group")
    await send(site, 7)
    (event,) = await stream.take(1)
    assert event.data["payload"] == {"n": "7"}
    assert site.log.count("'not a group' is not a group") == 1
    await stream.close()


# A68
@pytest.mark.parametrize("view", ["ids_in_a_sync_view", "ids_in_an_async_view"])
async def test_its_ids_can_be_asked_for_from_any_view(site: Server, view: str) -> None:
    async with asyncio.timeout(5):
        ids = await asyncio.gather(*(call(site, view) for _ in range(10)))
    await send(site, 1)
    stream = await opened(site, THEIRS, ids[-1])
    events = await received(stream, 1)
    assert [data for _, _, data in events] == ['{"n":"1"}']
    await stream.close()


# A68
async def test_calling_it_a_thousand_times_leaks_nothing(site: Server) -> None:
    views = [*WAYS, "ids_in_a_sync_view", "ids_in_an_async_view"]

    async def call_each(client: httpx.AsyncClient, times: int) -> None:
        for number in range(times):
            for view in views:
                target = f"{site.url}/{view}?group={GROUP}"
                await client.post(target, content=str(number))

    async with httpx.AsyncClient() as client:
        await call_each(client, 5)
        threads, files = site.threads, len(site.files)
        await call_each(client, 200)
        assert site.threads <= threads + 2  # those of the requests come and go
        assert len(site.files) <= files + 2


async def received(stream: Stream, count: int) -> list[tuple[str, str, str]]:
    """Return events of its own view, whose data need not be JSON."""
    events: list[tuple[str, str, str]] = []
    fields: dict[str, list[str]] = {}
    async with asyncio.timeout(10):
        while len(events) < count:
            if line := await stream._line():
                name, _, value = line.partition(":")
                fields.setdefault(name, []).append(value.removeprefix(" "))
                continue
            type = fields.get("event", [""])[0]
            id = fields.get("id", [""])[0]
            if type not in ("", "stream-open", "keep-alive"):
                events.append((type, id, "\n".join(fields["data"])))
            fields = {}
    return events


async def begun(stream: Stream) -> Stream:
    """Return a stream of its own view when that has begun to listen."""
    async with asyncio.timeout(10):
        while await stream._line() != "event: stream-open":
            pass
    return stream


# A68
async def test_its_own_view_delivers_what_send_event_sends(site: Server) -> None:
    stream = await begun(await opened(site, THEIRS))
    await send(site, 1, 2)
    events = await received(stream, 2)
    assert [(type, data) for type, _, data in events] == [
        ("message", '{"n":"1"}'),
        ("message", '{"n":"2"}'),
    ]
    for _, id, _ in events:
        channel, number = id.split(":")
        assert channel == GROUP
        assert number.isdecimal()
    await stream.close()


# A68
async def test_its_own_view_resumes_in_order_from_its_integers(
    site: Server,
) -> None:
    stream = await begun(await opened(site, THEIRS))
    await send(site, 1)
    ((_, cursor, _),) = await received(stream, 1)
    await stream.close()

    await send(site, 2, 3)
    await call(site, WAYS[0], "<b>", text="yes")
    await call(site, "from_our_dispatcher")
    stream = await opened(site, THEIRS, cursor)
    events = await received(stream, 4)
    assert [(type, data) for type, _, data in events] == [
        ("message", '{"n":"2"}'),
        ("message", '{"n":"3"}'),
        ("message", "<b>"),
        ("stock", '{"n":1}'),
    ]
    await stream.close()

    stream = await opened(site, THEIRS, events[-1][1])
    await begun(stream)
    await send(site, 6)
    assert [data for _, _, data in await received(stream, 1)] == ['{"n":"6"}']
    await stream.close()


# A68
async def test_its_own_view_resets_when_history_no_longer_reaches_back(
    site: Server,
) -> None:
    stream = await begun(await opened(site, THEIRS))
    await send(site, 1)
    ((_, cursor, _),) = await received(stream, 1)
    await stream.close()

    await send(site, *range(2, 9))  # seven, of which five are left
    stream = await opened(site, THEIRS, cursor)
    ((type, id, data),) = await received(stream, 1)
    assert type == "stream-reset"
    assert json.loads(data) == {"channels": [GROUP]}
    await stream.close()

    await send(site, 9)
    stream = await opened(site, THEIRS, id)
    assert [data for _, _, data in await received(stream, 1)] == ['{"n":"9"}']
    await stream.close()


# A68
@pytest.mark.parametrize("cursor", ["1763799845123456", "0", "-1", "9" * 60])
async def test_its_own_view_resets_what_is_no_position(
    site: Server, cursor: str
) -> None:
    stream = await opened(site, THEIRS, f"{GROUP}:{cursor}")
    ((type, _, _),) = await received(stream, 1)
    assert type == "stream-reset"
    await stream.close()


# A68
async def test_its_own_view_gives_what_a_grant_gives_to_its_browser_only(
    site: Server,
) -> None:
    text = await call(site, "grant", group="demo.todo.7")
    target = f"/events/?grant={quote(text)}"
    stream = await Stream.open(site.url + target, {"Cookie": "sse_browser=me"})
    await begun(stream)
    await call(site, WAYS[0], 1, group="demo.todo.7")
    ((_, id, data),) = await received(stream, 1)
    assert (id.partition(":")[0], data) == ("demo.todo.7", '{"n":"1"}')
    await stream.close()

    for refused in (target, "/events/?channel=demo.todo.7", "/events/?grant=forged"):
        answer = await opened_and_read(site, refused)
        assert "event: stream-error" in answer
        assert '"forbidden"' in answer


async def opened_and_read(site: Server, target: str) -> str:
    """Return an answer that ends by itself."""
    async with httpx.AsyncClient() as client:
        return (await client.get(site.url + target)).text


# A68
async def test_a_type_of_ours_is_refused_with_a_clear_error(site: Server) -> None:
    with pytest.raises(httpx.HTTPStatusError) as caught:
        await call(site, WAYS[0], 1, type="component.data_changed")
    assert (
        "'component.data_changed' can't be sent by hand" in caught.value.response.text
    )


# A68
async def test_what_one_process_sends_reaches_the_streams_of_another(
    redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sites = [
        Server(
            tmp_path_factory.mktemp("site"),
            environment={"SSE_BROKER_URL": redis.url},
            application=SITE,
        )
        for _ in range(2)
    ]
    try:
        await asyncio.gather(*(asyncio.to_thread(site.start) for site in sites))
        first, second = sites
        stream = await opened(second, OURS)
        await stream.until("keep-alive")
        await send(first, 1)
        (event,) = await stream.take(1)
        assert event.data["payload"] == {"n": "1"}
        cursor = stream.cursor
        await stream.close()
        await send(first, 2, 3)
        stream = await opened(second, OURS, cursor)
        events = await stream.take(2)
        assert [event.data["payload"]["n"] for event in events] == ["2", "3"]
        await stream.close()

        await asyncio.to_thread(
            second.manage,
            "shell",
            "-c",
            "from django_eventstream import send_event; "
            f"send_event('{GROUP}', 'message', 'from a command')",
        )
        stream = await opened(first, OURS, events[-1].id)
        (event,) = await stream.take(1)
        assert event.data["payload"] == "from a command"
        await stream.close()
    finally:
        for site in sites:
            site.close()
