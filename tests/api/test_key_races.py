"""Keys that change while they are looked up, used, announced."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.core.management import call_command
from django.utils.log import AdminEmailHandler
from pytest_django import Settings

from api import keyring as keyring_module
from api.keyring import Entry, Keyring, keyring, read_entries
from api.models import ApiKey
from sse_components import runtime
from sse_components.asgi import Application, get_asgi_application
from sse_components.brokers.base import Broker
from sse_components.errors import BrokerUnavailable, KeysUnavailable
from sse_components.events import Position
from sse_components.hub import Hub
from sse_components.revocations import KEYS
from tests.api.clients import KEYED, System
from tests.api.conftest import Limit
from tests.api.streams import first
from tests.api.test_keyring import heard_all, made, over_redis, redis, with_key
from tests.communicator import request
from tests.databases import in_thread
from tests.redis_servers import RedisServer

__all__ = ["over_redis", "redis"]

ADDRESS = "/groups/news.updates/data-changed"
STREAM = "/sse/groups/news.updates"

pytestmark = pytest.mark.django_db(transaction=True)


def revoke(name: str = "stock") -> None:
    in_thread(lambda: ApiKey.objects.get(name=name).revoke())


class SlowReading:
    """Reads the keys at once, and is done with it when it is told so."""

    def __init__(self) -> None:
        self.has_read = threading.Event()
        self.go_on = threading.Event()

    def __call__(self) -> Mapping[str, Entry]:
        entries = read_entries()
        self.has_read.set()
        assert self.go_on.wait(20)
        return entries


@pytest.fixture
def slow() -> Iterator[SlowReading]:
    reading = SlowReading()
    yield reading
    reading.go_on.set()


@contextmanager
def slow_to_write(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A database in which it takes a while to note that a key is used."""
    is_writing, go_on = threading.Event(), threading.Event()

    def write(secret: int, now: float) -> None:
        is_writing.set()
        go_on.wait(20)

    monkeypatch.setattr(keyring_module, "_write_use", write)
    keyring._used.clear()
    try:
        yield is_writing, go_on
    finally:
        go_on.set()


# The key is found; its use is being written down; it is revoked, and that is heard.
# A11, A73
async def test_a_key_that_is_revoked_while_its_use_is_noted_grants_nothing(
    system: System, app: Application, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit("news.*")
    await first(app, STREAM)
    with slow_to_write(monkeypatch) as (is_writing, go_on):
        asking = asyncio.create_task(
            system.post("/grants", {"groups": ["news.updates"]})
        )
        await asyncio.to_thread(is_writing.wait, 5)
        revoke("limited")
        await heard_all()
        go_on.set()
        answer = await asking
    if answer.status == 201:  # then it must be worth nothing
        url = urlsplit(answer.body["stream_url"])
        async with request(app, f"{url.path}?{url.query}") as exchange:
            assert (await exchange.next()).type == "stream-error"


# A73
async def test_a_key_that_is_revoked_while_its_use_is_noted_publishes_nothing(
    system: System, hub: Hub, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit("news.*")
    with slow_to_write(monkeypatch) as (is_writing, go_on):
        asking = asyncio.create_task(system.post(ADDRESS, {}))
        await asyncio.to_thread(is_writing.wait, 5)
        revoke("limited")
        await heard_all()
        go_on.set()
        (await asking).problem(401)


async def test_a_use_that_is_long_in_being_noted_keeps_no_request(
    system: System, hub: Hub, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit("news.*")
    with slow_to_write(monkeypatch):
        begun = time.monotonic()
        assert (await system.post(ADDRESS, {})).id
        assert time.monotonic() - begun < 3


# The keys are read; one is revoked, which is heard; the reading comes to its end.
# A73
async def test_who_waits_for_keys_gets_none_that_was_revoked_meanwhile(
    over_redis: Hub, slow: SlowReading
) -> None:
    _, text = made()
    await heard_all()
    finding = asyncio.create_task(Keyring(slow).find(text))
    await asyncio.to_thread(slow.has_read.wait, 5)
    revoke()
    await heard_all()
    slow.go_on.set()
    assert await finding is None


async def test_a_database_that_hangs_takes_one_thread_of_those_for_sessions(
    hub: Hub, slow: SlowReading
) -> None:
    hanging = Keyring(slow)
    finding = [asyncio.create_task(hanging.find("sse_a_b")) for _ in range(10)]
    await asyncio.to_thread(slow.has_read.wait, 5)
    async with asyncio.timeout(3):
        await runtime.pool().run(time.monotonic)
    for task in finding:
        task.cancel()
    await asyncio.wait(finding)
    slow.go_on.set()
    assert await hanging.find("sse_a_b") is None


async def test_a_database_that_hangs_is_one_that_is_unavailable(
    hub: Hub, slow: SlowReading
) -> None:
    with pytest.raises(KeysUnavailable):
        async with asyncio.timeout(10):
            await Keyring(slow).find("sse_a_b")


class AwayAtFirst:
    """A broker that is away for the first of what is revoked."""

    def __init__(self, broker: Broker) -> None:
        self.asked: list[str] = []
        self._revoke = broker.revoke

    def __call__(self, subject: str, pattern: str, seconds: float) -> Position:
        self.asked.append(subject)
        if len(self.asked) == 1:
            raise BrokerUnavailable("It is away.")
        return self._revoke(subject, pattern, seconds)


# This process can't say that keys have changed, then can say that the streams of one
# have to come back: to another process, which lets them in with what it knows.
# A73
async def test_a_stream_does_not_come_back_before_it_is_known_that_keys_have_changed(
    redis: RedisServer,
    settings: Settings,
    limit: Limit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.SSE_COMPONENTS = {"BROKER_URL": redis.url}
    hub = await runtime.start()
    await hub.recalled()
    app = get_asgi_application()
    limit("news.*")
    await heard_all()
    await first(app, STREAM)
    broker = AwayAtFirst(runtime.broker())
    monkeypatch.setattr(runtime.broker(), "revoke", broker)
    monkeypatch.setattr(keyring, "forget", lambda: None)  # another process doesn't
    try:
        async with request(app, STREAM, KEYED) as exchange:
            await exchange.until("keep-alive")
            revoke("limited")
            ended = (await exchange.rest())[-1]
            assert ended.data["reason"] == "regrant"
        async with request(app, STREAM, KEYED) as exchange:
            event = await exchange.next()
            if event.type == "stream-open":  # then it must not last
                async with asyncio.timeout(5):
                    await exchange.rest()
    finally:
        await runtime.stop()
    name = broker.asked[1].removeprefix("key:") if broker.asked else ""
    assert broker.asked[-3:] == [KEYS, f"key:{name}", f"issuer:{name}"] or name == KEYS


# A73
@pytest.mark.parametrize("fields", [{"patterns": 5}, {"scopes": 5}])
async def test_a_key_that_makes_no_sense_is_nobodys_and_spoils_no_other(
    hub: Hub, system: System, settings: Settings, fields: Any
) -> None:
    settings.SSE_API_KEY = ""
    _, text = made()
    sane: dict[str, Any] = {"scopes": ["publish"], "patterns": ["news.*"]}
    _, other = made("other", **sane | fields)
    assert (await with_key(text).post(ADDRESS, {})).id
    (await with_key(other).post(ADDRESS, {})).problem(401)


# "news.*" would be six patterns, one of which is "*".
# A73
async def test_a_text_in_place_of_patterns_gives_no_group(
    hub: Hub, system: System
) -> None:
    _, text = made(patterns="news.*", scopes=["publish"])
    assert (await with_key(text).post("/groups/shop/data-changed", {})).status >= 400


# A73
@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_the_report_of_an_error_does_not_show_the_key(
    hub: Hub, settings: Settings, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Mapping[str, Entry]:
        raise ZeroDivisionError

    _, text = made()
    settings.ADMINS = [("Admin", "admin@example.com")]
    monkeypatch.setattr(keyring, "_read_entries", fail)
    handler = AdminEmailHandler(include_html=True)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        value = f"Bearer {text}" if header == "Authorization" else text
        (await System({header: value}).post(ADDRESS, {})).problem(500)
    finally:
        root.removeHandler(handler)
    reports = [f"{one.body}{getattr(one, 'alternatives', '')}" for one in mail.outbox]
    assert any("ZeroDivisionError" in report for report in reports)
    assert not any(text in report for report in reports)


# A73
async def test_a_key_that_was_revoked_stays_so_whatever_is_saved_of_it(
    hub: Hub,
) -> None:
    key, text = made()

    def change() -> None:
        revoke()
        key.rate = 5  # of what was read before it was revoked
        key.save()

    in_thread(change)
    assert await keyring.find(text) is None


async def test_secrets_may_be_loaded_before_their_keys(hub: Hub, tmp_path: Any) -> None:
    _, text = made()
    file = tmp_path / "keys.json"

    def copy() -> None:
        models = ["sse_components_api.Secret", "sse_components_api.ApiKey"]
        for number, model in enumerate(models):
            call_command("dumpdata", model, output=str(tmp_path / f"{number}.json"))
        parts = [(tmp_path / f"{n}.json").read_text().strip() for n in range(2)]
        file.write_text(f"{parts[0][:-1]},{parts[1][1:]}")
        ApiKey.objects.all().delete()
        call_command("loaddata", str(file), verbosity=0)

    in_thread(copy)
    assert await keyring.find(text)
