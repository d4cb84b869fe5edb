from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from api.access import Holder
from api.keyring import Entry, Keyring, keyring, read_entries
from api.keys import digest, new_key
from api.models import ApiKey, Secret
from sse_components import runtime
from sse_components.hub import Hub
from sse_components.revocations import KEYS
from tests.api.clients import System
from tests.api.conftest import Heard
from tests.databases import in_thread
from tests.e2e.redis.conftest import redis
from tests.redis_servers import RedisServer

__all__ = ["redis"]

ADDRESS = "/groups/news.updates/data-changed"
SETTINGS: dict[str, Any] = {"scopes": ["publish", "read"], "patterns": ["news.*"]}

pytestmark = pytest.mark.django_db(transaction=True)


def made(name: str = "stock", **fields: Any) -> tuple[ApiKey, str]:
    """Return a key, and its text."""

    def make() -> tuple[ApiKey, str]:
        key = ApiKey.objects.create(name=name, **SETTINGS | fields)
        return key, key.issue()

    return in_thread(make)


def with_key(text: str) -> System:
    return System({"Authorization": f"Bearer {text}"})


@contextmanager
def asking(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[[], int]]:
    """Counts what this process asks the database, in all its threads."""
    settings.DEBUG = True
    caplog.clear()
    with caplog.at_level("DEBUG", "django.db.backends"):
        yield lambda: sum(one.name == "django.db.backends" for one in caplog.records)


async def until(is_so: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    """Return when something is so, of which nobody says when."""
    async with asyncio.timeout(seconds):
        while not await is_so():  # noqa: ASYNC110  # nobody announces it
            await asyncio.sleep(0.02)


async def is_nobodys(text: str) -> bool:
    return await keyring.find(text) is None


async def heard_all() -> None:
    """Return when the hub has heard what was announced so far."""
    hub, position = runtime.hub(), await runtime.broker().position()
    assert hub
    await hub._hearing.wait_until(position)


@pytest.fixture
async def over_redis(redis: RedisServer, settings: Settings) -> AsyncIterator[Hub]:
    """A hub that is told of changes."""
    settings.SSE_COMPONENTS = {"BROKER_URL": redis.url}
    hub = await runtime.start()
    await hub.recalled()
    yield hub
    await runtime.stop()


# A73
async def test_a_key_is_whose_it_was_issued_for(hub: Hub) -> None:
    key, text = made(rate=2.5)
    assert await keyring.find(text) == Holder(
        key.identity, ("news.*",), frozenset({"publish", "read"}), rate=2.5
    )


# A73
async def test_a_key_that_differs_by_one_character_is_nobodys(hub: Hub) -> None:
    _, text = made()
    _, prefix, secret = text.split("_", 2)
    other = "a" if text[-1] != "a" else "b"
    for wrong in (
        text[:-1],
        text[:-1] + other,
        text + other,
        text.upper(),
        f"sse_{prefix}",
        f"sse_{prefix}_",
        f"sse_{prefix[:-1]}_{secret}",
        f"xyz_{prefix}_{secret}",
        f"{prefix}_{secret}",
        f"sse_{prefix}_\udcff",
        new_key().text,
        "",
    ):
        assert await keyring.find(wrong) is None
    assert await keyring.find(text)


# A73
def test_what_is_kept_opens_nothing() -> None:
    _, text = made()
    (secret,) = Secret.objects.all()
    assert secret.digest == digest(text)
    assert text.removeprefix(f"sse_{secret.prefix}_") not in str(
        [vars(one) for one in (secret, secret.key)]
    )


# A73
@pytest.mark.parametrize("late", [timedelta(seconds=-1), timedelta(seconds=0.3)])
async def test_an_expired_key_is_nobodys_though_nobody_says_so(
    hub: Hub, late: timedelta
) -> None:
    _, text = made(expires_at=timezone.now() + late)
    if late > timedelta():
        assert await keyring.find(text)
        await until(lambda: is_nobodys(text))
    assert await keyring.find(text) is None


# A73
async def test_during_a_rotation_both_keys_are_taken_and_then_the_new_one(
    hub: Hub,
) -> None:
    key, old = made()
    new = in_thread(key.rotate, timedelta(seconds=0.5))
    one, other = await keyring.find(old), await keyring.find(new)
    assert one and other
    assert one.name == other.name  # so that they share a rate and what is repeated
    await until(lambda: is_nobodys(old))
    assert await keyring.find(new)


# A73
async def test_a_change_in_this_process_holds_at_once(
    system: System, heard: Heard, settings: Settings
) -> None:
    settings.SSE_API_KEY = ""
    key, text = made()
    system = with_key(text)
    assert (await system.post(ADDRESS, {})).id
    key.patterns = ["shop.*"]
    in_thread(key.save)
    (await system.post(ADDRESS, {})).problem(403)
    in_thread(key.revoke)
    (await system.post(ADDRESS, {})).problem(401)
    _, text = made("other")
    assert (await with_key(text).post(ADDRESS, {})).id
    in_thread(ApiKey.objects.all().delete)
    (await with_key(text).post(ADDRESS, {})).problem(401)
    assert len(await heard()) == 2


async def test_a_change_that_is_not_committed_changes_nothing(hub: Hub) -> None:
    key, text = made()

    def undone() -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            key.revoke()
            raise ZeroDivisionError

    in_thread(undone)
    assert await keyring.find(text)


# A73
async def test_what_another_process_changes_in_silence_holds_within_a_second(
    hub: Hub,
) -> None:
    _, text = made()
    assert await keyring.find(text)
    in_thread(ApiKey.objects.update, revoked_at=timezone.now())
    await until(lambda: is_nobodys(text), 1)


async def test_where_changes_are_announced_no_request_asks_the_database(
    over_redis: Hub,
    system: System,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, text = made()
    await heard_all()
    system = with_key(text)
    assert (await system.post(ADDRESS, {})).id
    with asking(settings, caplog) as asked:
        for _ in range(20):
            assert (await system.post(ADDRESS, {})).id
            await asyncio.sleep(0.05)
        assert asked() == 0


async def test_where_they_are_not_requests_ask_twice_a_second_at_most(
    hub: Hub, system: System, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    _, text = made()
    assert (await with_key(text).post(ADDRESS, {})).id
    begun = time.monotonic()
    with asking(settings, caplog) as asked:
        for _ in range(20):
            assert (await with_key(text).post(ADDRESS, {})).id
            await asyncio.sleep(0.05)
        assert 1 <= asked() <= 2 * (time.monotonic() - begun) + 1


# A73
async def test_an_announced_change_holds_as_soon_as_it_is_heard(
    over_redis: Hub,
) -> None:
    _, text = made()
    await heard_all()
    assert await keyring.find(text)
    in_thread(ApiKey.objects.update, revoked_at=timezone.now())
    assert await keyring.find(text)  # nobody has said so
    await runtime.broker().arevoke(KEYS, "", 60)
    await heard_all()
    assert await keyring.find(text) is None


# The keys are being read while one of them is revoked, and read before it was.
# A73
async def test_what_is_revoked_while_it_is_read_is_read_again(over_redis: Hub) -> None:
    _, text = made()
    has_read, go_on = threading.Event(), threading.Event()

    def slow() -> Mapping[str, Entry]:
        entries = read_entries()
        has_read.set()
        assert go_on.wait(5)
        return entries

    slow_keyring = Keyring(slow)
    finding = asyncio.create_task(slow_keyring.find(text))
    await asyncio.to_thread(has_read.wait, 5)
    in_thread(ApiKey.objects.update, revoked_at=timezone.now())
    await runtime.broker().arevoke(KEYS, "", 60)
    await heard_all()
    go_on.set()
    await finding
    assert await slow_keyring.find(text) is None


async def test_many_requests_wait_for_one_reading(over_redis: Hub) -> None:
    _, text = made()
    await heard_all()
    reads: list[int] = []

    def counted() -> Mapping[str, Entry]:
        reads.append(1)
        return read_entries()

    counting = Keyring(counted)
    found = await asyncio.gather(*(counting.find(text) for _ in range(50)))
    assert all(found)
    assert len(reads) == 1


# A73
async def test_what_is_changed_by_sql_holds_after_ten_seconds(over_redis: Hub) -> None:
    now = 1000.0
    patient = Keyring(clock=lambda: now)
    _, text = made()
    await heard_all()
    assert await patient.find(text)
    in_thread(ApiKey.objects.update, revoked_at=timezone.now())
    now += 9
    assert await patient.find(text)
    now += 2
    assert await patient.find(text) is None


@contextmanager
def no_table() -> Iterator[None]:
    def rename(old: str, new: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER TABLE "{old}" RENAME TO "{new}"')

    table = Secret._meta.db_table
    in_thread(rename, table, "hidden")
    try:
        yield
    finally:
        in_thread(rename, "hidden", table)


async def test_when_keys_can_not_be_read_the_service_is_unavailable(
    hub: Hub, system: System, caplog: pytest.LogCaptureFixture
) -> None:
    _, text = made()
    with no_table():
        for _ in range(3):
            answer = await with_key(text).post(ADDRESS, {})
            assert "table" not in str(answer.problem(503))
            assert int(answer.headers["Retry-After"]) >= 1
        # The key of the settings needs no database.
        assert (await system.post(ADDRESS, {})).id
    logged = [one for one in caplog.records if one.name == "sse_components.api"]
    assert len(logged) == 1
    assert text not in caplog.text

    async def is_taken() -> bool:
        return (await with_key(text).post(ADDRESS, {})).status == 202

    await until(is_taken)


async def test_it_is_known_when_a_key_was_used_last(hub: Hub) -> None:
    _, text = made()
    before = timezone.now()
    assert await keyring.find(text)
    used = (await Secret.objects.aget()).last_used_at
    assert used and before <= used <= timezone.now()
    another_process = Keyring()
    assert await keyring.find(text)
    assert await another_process.find(text)
    assert (await Secret.objects.aget()).last_used_at == used  # for a minute
    long_ago = used - timedelta(seconds=61)
    await Secret.objects.aupdate(last_used_at=long_ago)
    assert await Keyring().find(text)
    again = (await Secret.objects.aget()).last_used_at
    assert again and again > used


# A73
async def test_an_expiry_needs_no_reading_where_changes_are_announced(
    over_redis: Hub,
) -> None:
    _, text = made(expires_at=timezone.now() + timedelta(seconds=1))
    await heard_all()
    assert await keyring.find(text)
    await until(lambda: is_nobodys(text), 2)


# A73
async def test_while_the_broker_is_away_keys_are_known_for_half_a_second(
    over_redis: Hub,
) -> None:
    now = 1000.0
    patient = Keyring(clock=lambda: now)
    _, text = made()
    await heard_all()
    assert await patient.find(text)
    over_redis.doubt()
    in_thread(ApiKey.objects.update, revoked_at=timezone.now())
    now += 0.6
    assert await patient.find(text) is None


# A73
async def test_a_process_without_streams_knows_at_once_what_it_has_changed() -> None:
    key, text = made()
    assert await keyring.find(text)
    in_thread(key.revoke)
    assert await keyring.find(text) is None


# A73
async def test_what_is_read_before_the_commit_is_read_again_after_it() -> None:
    key, text = made()
    loop = asyncio.get_running_loop()

    def change() -> None:
        with transaction.atomic():
            key.revoke()
            found = asyncio.run_coroutine_threadsafe(keyring.find(text), loop)
            assert found.result(5)

    assert await keyring.find(text)
    await asyncio.to_thread(in_thread, change)
    assert await keyring.find(text) is None


# A73
@pytest.mark.parametrize("end", [None, timedelta(hours=1)])
async def test_the_end_of_an_overlap_needs_no_reading_either(
    over_redis: Hub, end: timedelta | None
) -> None:
    key, old = made(expires_at=end and timezone.now() + end)
    in_thread(key.rotate, timedelta(seconds=1))
    await heard_all()
    found = await keyring.find(old)
    assert found
    assert found.expires < time.time() + 2
    await until(lambda: is_nobodys(old), 2)


class Replica:
    """Has all that is read come from a database that is behind."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        raise AssertionError("A replica was asked.")


# A73
def test_keys_are_not_read_of_a_replica(settings: Settings) -> None:
    made()
    settings.DATABASE_ROUTERS = [Replica()]
    assert in_thread(read_entries)
