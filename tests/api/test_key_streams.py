"""Streams of external systems, whose keys change while they are open."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from api.models import ApiKey
from sse_components import ComponentDispatcher, admission, groups, runtime
from sse_components.asgi import Application
from sse_components.errors import KeysUnavailable
from sse_components.groups import Subject
from sse_components.hub import Hub
from tests.api.clients import KEYED, System
from tests.api.conftest import Limit
from tests.api.streams import first
from tests.api.test_keyring import heard_all
from tests.communicator import Exchange, connect, request
from tests.databases import in_thread

ADDRESS = "/sse/stream?group=news.updates&group=shop.stock"


def change(**fields: Any) -> None:
    """Change the system's key as an admin does."""

    def save() -> None:
        key = ApiKey.objects.get(name="limited")
        for name, value in fields.items():
            setattr(key, name, value)
        key.save()

    in_thread(save)


def revoke() -> None:
    in_thread(lambda: ApiKey.objects.get(name="limited").revoke())


def rotate(overlap: timedelta) -> None:
    in_thread(lambda: ApiKey.objects.get(name="limited").rotate(overlap))


def delete() -> None:
    in_thread(lambda: ApiKey.objects.get(name="limited").delete())


@asynccontextmanager
async def opened(app: Application, address: str = ADDRESS) -> AsyncIterator[Exchange]:
    await first(app, address)  # so that the key is as it was last heard of
    async with request(app, address, KEYED) as exchange:
        assert (await exchange.until("keep-alive"))[0].type == "stream-open"
        yield exchange


async def goes_on(exchange: Exchange) -> None:
    """Raise EOFError if a stream has ended: that is known only of what is read."""
    await ComponentDispatcher.data_changed("news.updates")
    await exchange.until("component.data_changed")


async def last(exchange: Exchange) -> tuple[str, str]:
    event = (await exchange.rest())[-1]
    return event.type, event.data.get("reason") or event.data["condition"]


# A73
@pytest.mark.parametrize("end", [revoke, delete, lambda: rotate(timedelta())])
async def test_a_stream_ends_with_its_key_and_does_not_come_back(
    app: Application, limit: Limit, end: Callable[[], None]
) -> None:
    limit("news.*", "shop.*")
    async with opened(app) as exchange:
        end()
        assert await last(exchange) == ("stream-close", "regrant")
    event = await first(app, ADDRESS)
    assert (event.type, event.data["condition"]) == ("stream-error", "forbidden")


# A73
async def test_a_websocket_ends_with_its_key(app: Application, limit: Limit) -> None:
    limit("news.*")
    address = "/sse/stream?group=news.updates"
    await first(app, address)
    async with connect(app, address, KEYED) as connection:
        await connection.until("keep-alive")
        revoke()
        assert await last(connection) == ("stream-close", "regrant")
        assert connection.code == 4040


async def test_a_stream_comes_back_without_the_groups_that_its_key_has_lost(
    app: Application, limit: Limit
) -> None:
    limit("news.*", "shop.*")
    async with opened(app) as exchange:
        change(patterns=["shop.*"])
        assert await last(exchange) == ("stream-close", "regrant")
    event = await first(app, ADDRESS)
    assert event.data["groups"] == ["shop.stock"]
    assert event.data["denied"] == ["news.updates"]


async def test_a_rotation_with_an_overlap_ends_no_stream_for_good(
    app: Application, limit: Limit
) -> None:
    limit("news.*", "shop.*")
    async with opened(app):
        rotate(timedelta(hours=1))
    assert (await first(app, ADDRESS)).type == "stream-open"


async def test_another_key_ends_no_stream(app: Application, limit: Limit) -> None:
    limit("news.*", "shop.*")
    async with opened(app) as exchange:
        in_thread(_make_and_revoke_another)
        await heard_all()
        await goes_on(exchange)


def _make_and_revoke_another() -> None:
    key = ApiKey.objects.create(name="another", scopes=["read"], patterns=["**"])
    key.issue()
    key.revoke()


# A73
async def test_a_stream_ends_when_its_key_expires(
    app: Application, limit: Limit
) -> None:
    limit("news.*", "shop.*")
    end: datetime = timezone.now() + timedelta(seconds=2)
    change(expires_at=end)
    async with opened(app) as exchange:
        assert await last(exchange) == ("stream-close", "rotated")
        assert end.timestamp() - 0.5 < time.time() < end.timestamp() + 10
    event = await first(app, ADDRESS)
    assert (event.type, event.data["condition"]) == ("stream-error", "forbidden")


async def test_when_keys_can_not_be_read_a_stream_is_to_come_back(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(key: str) -> None:
        raise KeysUnavailable

    monkeypatch.setattr(groups, "_authenticators", [unavailable])
    event = await first(app, ADDRESS)
    assert (event.type, event.data["reason"]) == ("stream-close", "unavailable")


# The key is revoked after it was found and before the stream is the hub's.
# A73
async def test_a_key_that_is_revoked_while_it_is_looked_up_opens_nothing(
    app: Application, limit: Limit, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit("news.*", "shop.*")
    await first(app, ADDRESS)
    find_subject = admission.find_subject

    async def find(hub: Hub, *arguments: Any, **options: Any) -> Subject:
        subject = await find_subject(hub, *arguments, **options)
        revoke()
        await hub._hearing.wait_until(await runtime.broker().position())
        return subject

    monkeypatch.setattr(admission, "find_subject", find)
    async with request(app, ADDRESS, KEYED) as exchange:
        assert await last(exchange) == ("stream-close", "regrant")


async def granted(system: System) -> str:
    answer = await system.post("/grants", {"groups": ["news.updates"]})
    assert answer.status == 201, answer.text
    url = urlsplit(answer.body["stream_url"])
    return f"{url.path}?{url.query}"


# A11, A73
@pytest.mark.parametrize("end", [revoke, delete])
async def test_what_a_key_has_granted_ends_with_it(
    system: System, app: Application, limit: Limit, end: Callable[[], None]
) -> None:
    limit("news.*")
    await first(app, "/sse/groups/news.updates")
    address = await granted(system)
    async with request(app, address) as exchange:
        await exchange.until("keep-alive")
        end()
        assert await last(exchange) == ("stream-error", "revoked")
    async with request(app, address) as exchange:
        assert await last(exchange) == ("stream-error", "grant_expired")


# A11
async def test_what_a_key_has_granted_outlives_a_change_of_it(
    system: System, app: Application, limit: Limit
) -> None:
    limit("news.*")
    await first(app, "/sse/groups/news.updates")
    address = await granted(system)
    async with request(app, address) as exchange:
        await exchange.until("keep-alive")
        change(patterns=["shop.*"])
        rotate(timedelta())
        await heard_all()
        await goes_on(exchange)
    async with request(app, address) as exchange:
        assert (await exchange.until("keep-alive"))[0].data["denied"] == []


# A73
async def test_a_new_secret_ends_no_stream_and_one_that_is_deleted_does(
    app: Application, limit: Limit
) -> None:
    limit("news.*", "shop.*")

    def key() -> ApiKey:
        return ApiKey.objects.get(name="limited")

    async with opened(app) as exchange:
        in_thread(lambda: key().issue())
        await heard_all()
        await goes_on(exchange)
        in_thread(lambda: key().secrets.earliest("pk").delete())
        assert await last(exchange) == ("stream-close", "regrant")
