from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from sse_components.brokers.base import GRACE_SECONDS, LEASE_SECONDS, ONLINE
from tests.clients import Received, Stream
from tests.e2e.redis.conftest import NewPair
from tests.e2e.visitors import Browser
from tests.redis_servers import RedisServer
from tests.servers import Server

GRACE = 1
"""Seconds, where a test can do without the default."""
SWEPT = 2
"""Seconds at most between two sweeps of a process."""
TOLD = 2
"""Seconds in which everybody knows who has come, by the acceptance list."""
LATE = 5
"""Seconds of a machine that has other things to do."""
SESSION_ONLY = "sessionid"
PRESENCE_GROUPS = ["chat.**"]


@dataclass
class Site:
    """Two servers, their Redis, and what they note of their signals."""

    redis: RedisServer
    pair: list[Server]
    signals: Path

    def noted(self, user: str) -> list[dict[str, Any]]:
        """Return what receivers of the signal were told of a user."""
        lines = self.signals.read_text().splitlines()
        return [one for one in map(json.loads, lines) if one["user"] == user]


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, new_pair_of_pages: NewPair
) -> Iterator[Site]:
    """Goes on for the whole module, with a short grace."""
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    redis.start()
    signals = tmp_path_factory.mktemp("signals") / "signals"
    settings = {
        "PRESENCE_GRACE_SECONDS": GRACE,
        "PRESENCE_GROUPS": PRESENCE_GROUPS,
    }
    try:
        with new_pair_of_pages(redis.url, signals, **settings) as pair:
            yield Site(redis, pair, signals)
    finally:
        redis.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with Browser() as browser:
        yield browser


@pytest.fixture
def name() -> str:
    """Of a user whom no other test has anything to do with."""
    return f"anna-{uuid4().hex}"


class Watch:
    """An external system that hears what is told of a user in a group."""

    def __init__(self, server: Server, user: str, group: str) -> None:
        self._server = server
        self._user = user
        self._group = group
        self._begun = ""
        self._stream: Stream

    @classmethod
    async def begin(cls, server: Server, user: str, group: str = ONLINE) -> Watch:
        watch = cls(server, user, group)
        watch._stream = await watch._open()
        await watch._stream.until("keep-alive")
        watch._begun = watch._stream.cursor or ""
        return watch

    async def next(self, seconds: float) -> Received:
        """Return what is told next; see that it is told in time."""
        async with asyncio.timeout(seconds):
            while True:
                event = await self._stream.next(seconds)
                if self._is_concerned(event):
                    return event

    async def is_reset(self, seconds: float) -> None:
        """Wait for what comes next to be of another memory."""
        (*_, reset) = await self._stream.until("stream-reset", seconds)
        self._begun = reset.id or ""

    async def all(self) -> list[str]:
        """Return the types of all that was told, from the broker's history."""
        stream = await self._open()
        events = await stream.until("keep-alive")
        await stream.close()
        assert not [event for event in events if event.type == "stream-reset"]
        return [event.type for event in events if self._is_concerned(event)]

    async def aclose(self) -> None:
        await self._stream.close()

    async def _open(self) -> Stream:
        headers = self._server.headers
        if self._begun:
            headers = headers | {"Last-Event-ID": self._begun}
        return await Stream.open(
            f"{self._server.url}/sse/groups/{self._group}", headers
        )

    def _is_concerned(self, event: Received) -> bool:
        return (
            event.type.startswith("presence.")
            and event.data["payload"].get("user") == self._user
        )


async def who(server: Server, user: str, group: str = "") -> dict[str, Any]:
    """Return what Python code of a process finds out."""
    async with Browser() as anybody:
        answer = await anybody.get(server, "who", user=user, group=group)
    found: dict[str, Any] = answer.json()
    return found


async def becomes(
    server: Server, user: str, seconds: float, group: str = "", **wanted: object
) -> dict[str, Any]:
    """Return the answer of a process as soon as it says what is wanted."""
    deadline = time.monotonic() + seconds
    while True:
        found = await who(server, user, group)
        if wanted.items() <= found.items():
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def all_is_swept(grace: float = GRACE) -> None:
    """Wait until whoever was going to be told of is."""
    await asyncio.sleep(grace + SWEPT + 0.5)


# A53
async def test_a_user_is_online_from_the_first_tab_to_the_last_of_both_processes(
    site: Site, browser: Browser, name: str
) -> None:
    a, b = site.pair
    await browser.log_in(a, name)
    async with aclosing(await Watch.begin(b, browser.user)) as watch:
        first = await browser.open(a, "", SESSION_ONLY)
        online = await watch.next(TOLD)
        assert online.type == "presence.online"
        assert online.data["payload"] == {"user": browser.user, "last_seen": None}

        second = await browser.open(b, "", SESSION_ONLY)
        both = [
            await becomes(server, browser.user, TOLD, connections=2)
            for server in site.pair
        ]
        assert both[0] == both[1]
        assert both[0]["online"]
        assert both[0]["last_seen"] is None
        await first.close()
        await all_is_swept()
        for server in site.pair:
            found = await who(server, browser.user)
            assert (found["online"], found["connections"]) == (True, 1)
            assert found["since"] == both[0]["since"]

        await second.close()
        closed = time.monotonic()
        offline = await watch.next(GRACE + SWEPT + LATE)
        assert time.monotonic() - closed > GRACE * 0.9
        assert offline.type == "presence.offline"
        seen = offline.data["payload"]["last_seen"]
        for server in site.pair:
            found = await who(server, browser.user)
            assert (found["online"], found["connections"]) == (False, 0)
            assert _time(found["last_seen"]) == _time(seen)
        await all_is_swept()
        assert await watch.all() == ["presence.online", "presence.offline"]

    told = site.noted(browser.user)
    assert [(one["type"], one["id"]) for one in told] == [
        ("presence.online", online.id),
        ("presence.offline", offline.id),
    ]
    assert {one["group"] for one in told} == {ONLINE}
    assert told[0]["last_seen"] is None
    assert _time(told[1]["last_seen"]) == _time(seen)


# A53
async def test_a_page_that_is_loaded_again_tells_nothing(
    site: Site, browser: Browser, name: str
) -> None:
    a, b = site.pair
    await browser.log_in(a, name)
    async with aclosing(await Watch.begin(b, browser.user)) as watch:
        stream = await browser.open(a, "", SESSION_ONLY)
        assert (await watch.next(TOLD)).type == "presence.online"
        for server in (b, a, b):
            await stream.close()
            stream = await browser.open(server, "", SESSION_ONLY)
        await all_is_swept()
        assert await watch.all() == ["presence.online"]
        await becomes(a, browser.user, TOLD, online=True, connections=1)
    assert len(site.noted(browser.user)) == 1


# A53
async def test_a_command_and_the_processes_agree(
    site: Site, browser: Browser, name: str
) -> None:
    a, b = site.pair
    await browser.log_in(a, name)
    for server in (a, a, b):
        await browser.open(server, "", SESSION_ONLY)
    answers = [
        await becomes(server, browser.user, TOLD, connections=3) for server in site.pair
    ]
    assert answers[0] == answers[1]
    code = (
        "from sse_components import presence; "
        f"print(presence.status({browser.user}).since.isoformat(), "
        f"presence.status({browser.user}).connections)"
    )
    printed = await asyncio.to_thread(a.manage, "shell", "--verbosity=0", "-c", code)
    since, connections = printed.split()
    assert connections == "3"
    assert _time(since) == _time(answers[0]["since"])


# A53
async def test_a_page_joins_the_groups_whose_presence_is_watched(
    site: Site, browser: Browser, name: str
) -> None:
    a, b = site.pair
    group, unwatched = f"chat.room.{name}", f"project.{name}"
    await browser.log_in(a, name)
    query = await browser.page(a, group, unwatched)
    async with (
        aclosing(await Watch.begin(b, browser.user, group)) as watch,
        aclosing(await Watch.begin(b, browser.user, unwatched)) as nothing,
    ):
        stream = await browser.open(a, query)
        joined = await watch.next(TOLD)
        assert joined.type == "presence.join"
        assert joined.data["payload"] == {"user": browser.user}
        (heard,) = await stream.take(1)  # as everybody in the group
        assert (heard.type, heard.id) == (joined.type, joined.id)
        other = await browser.open(b, query)
        for server in site.pair:
            await becomes(
                server, browser.user, TOLD, group, members=[[browser.user, 2]]
            )
        await stream.close()
        await all_is_swept()
        await other.close()
        left = await watch.next(GRACE + SWEPT + LATE)
        assert left.type == "presence.leave"
        assert left.data["payload"] == {"user": browser.user}
        for server in site.pair:
            assert (await who(server, browser.user, group))["members"] == []
        assert await watch.all() == ["presence.join", "presence.leave"]
        assert await nothing.all() == []
    told = [one for one in site.noted(browser.user) if one["group"] == group]
    assert [one["type"] for one in told] == ["presence.join", "presence.leave"]


# A53
async def test_a_user_whose_page_hears_a_pattern_is_online_as_well(
    site: Site, browser: Browser, name: str
) -> None:
    a, b = site.pair
    await browser.log_in(a, name)
    async with aclosing(await Watch.begin(b, browser.user)) as watch:
        await browser.open(b, "group=demo.todo.*", SESSION_ONLY)
        assert (await watch.next(TOLD)).type == "presence.online"


# A53
async def test_after_redis_has_forgotten_all_users_are_there_again_silently(
    site: Site, browser: Browser, name: str
) -> None:
    a, b = site.pair
    group = f"chat.room.{name}"
    await browser.log_in(a, name)
    query = await browser.page(a, group)
    streams = [await browser.open(server, query) for server in site.pair]
    await becomes(b, browser.user, TOLD, group, members=[[browser.user, 2]])
    async with (
        aclosing(await Watch.begin(b, browser.user)) as watch,
        aclosing(await Watch.begin(a, browser.user, group)) as room,
    ):
        client = site.redis.client()
        client.flushall()
        client.close()
        forgotten = time.monotonic()
        for server in site.pair:
            await becomes(
                server,
                browser.user,
                10 - (time.monotonic() - forgotten),
                group,
                online=True,
                connections=2,
                members=[[browser.user, 2]],
            )
        await watch.is_reset(LATE)
        await room.is_reset(LATE)
        await all_is_swept()
        assert await watch.all() == []
        assert await room.all() == []

        for stream in streams:  # and what they do from now on is told
            await stream.close()
        assert (await watch.next(GRACE + SWEPT + LATE)).type == "presence.offline"
        assert (await room.next(LATE)).type == "presence.leave"
        assert await watch.all() == ["presence.offline"]


# A53
@pytest.mark.timeout(120)
async def test_users_of_a_process_that_was_killed_are_offline_after_lease_and_grace(
    redis: RedisServer, new_pair_of_pages: NewPair, name: str, tmp_path: Path
) -> None:
    with new_pair_of_pages(redis.url, tmp_path / "signals") as pair:
        site = Site(redis, pair, tmp_path / "signals")
        a, b = pair
        async with Browser() as lost, Browser() as both:
            await lost.log_in(a, name)
            await both.log_in(a, f"not-{name}")
            for browser in (lost, both):
                await browser.open(a, "", SESSION_ONLY)
            await lost.open(a, "", SESSION_ONLY)
            await both.open(b, "", SESSION_ONLY)
            for browser in (lost, both):
                await becomes(b, browser.user, TOLD, connections=2)
            async with (
                aclosing(await Watch.begin(b, lost.user)) as watch,
                aclosing(await Watch.begin(b, both.user)) as other,
            ):
                a.close()  # without asking
                killed = time.monotonic()
                now = datetime.now().astimezone()
                due = LEASE_SECONDS + GRACE_SECONDS
                offline = await watch.next(due + LATE)
                took = time.monotonic() - killed
                assert took > GRACE_SECONDS + LEASE_SECONDS / 2
                assert offline.type == "presence.offline"
                seen = _time(offline.data["payload"]["last_seen"])
                # When its process was last known to be alive.
                assert -LEASE_SECONDS / 2 < (seen - now).total_seconds() < 1
                found = await who(b, lost.user)
                assert (found["online"], found["connections"]) == (False, 0)
                assert _time(found["last_seen"]) == seen
                await all_is_swept()
                assert await watch.all() == ["presence.offline"]
                assert await other.all() == []
                await becomes(b, both.user, TOLD, online=True, connections=1)
                assert [one["type"] for one in site.noted(lost.user)] == [
                    "presence.online",
                    "presence.offline",
                ]
                await asyncio.to_thread(a.start)
                for user in (lost.user, both.user):
                    assert await who(a, user) == await who(b, user)


# A53
async def test_a_user_who_is_sent_to_another_process_is_online_all_along(
    redis: RedisServer, new_pair_of_pages: NewPair, name: str, tmp_path: Path
) -> None:
    settings = {"PRESENCE_GRACE_SECONDS": GRACE, "PRESENCE_GROUPS": PRESENCE_GROUPS}
    group = f"chat.room.{name}"
    with new_pair_of_pages(redis.url, tmp_path / "signals", **settings) as (a, b):
        async with Browser() as browser:
            await browser.log_in(a, name)
            query = await browser.page(a, group)
            stream = await browser.open(a, query)
            await becomes(b, browser.user, TOLD, group, members=[[browser.user, 1]])
            async with (
                aclosing(await Watch.begin(b, browser.user)) as watch,
                aclosing(await Watch.begin(b, browser.user, group)) as room,
            ):
                assert await asyncio.to_thread(a.stop) == 0
                (*_, last) = await stream.until("stream-close")
                assert last.data["reason"] == "shutdown"
                await asyncio.sleep(3)  # as late as it may be told to come
                await becomes(b, browser.user, TOLD, online=True, connections=0)
                await browser.open(b, query)
                await becomes(b, browser.user, TOLD, group, members=[[browser.user, 1]])
                await asyncio.to_thread(a.start)
                await all_is_swept()
                assert await watch.all() == []
                assert await room.all() == []
                await becomes(a, browser.user, TOLD, online=True, connections=1)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
