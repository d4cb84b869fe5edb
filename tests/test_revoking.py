from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, User
from django.db import models, transaction
from pytest_django import Settings

from sse_components import (
    adisconnect_user,
    arevoke,
    disconnect_user,
    revoke,
    revoking,
    runtime,
)
from sse_components.brokers.base import Revocation
from sse_components.brokers.memory import MemoryBroker
from sse_components.errors import BrokerUnavailable, InvalidGroup
from sse_components.events import Position, hashed
from sse_components.owed import THREAD
from sse_components.revocations import MAX_GRANT_SECONDS
from tests.redis_servers import NewRedisServer

DATABASE = pytest.mark.django_db(transaction=True)
SECONDS = 10
KEY = "abcdefghijklmnopqrstuvwxyz012345"
GRANT_SECONDS = 3600


@pytest.fixture
async def serving() -> AsyncIterator[None]:
    await runtime.start()
    yield
    await runtime.stop()


@pytest.fixture
def revocations(serving: None) -> Iterator[Any]:
    """Returns subjects and patterns of what was revoked, in order."""

    def revocations() -> list[tuple[str, str]]:
        found: list[Revocation] = [*async_to_sync(runtime.broker().revocations)()]
        found.sort(key=lambda one: one.position.seq)
        return [(one.subject, one.pattern) for one in found]

    yield revocations


@pytest.fixture
def away(settings: Settings) -> None:
    """A broker that is away."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    settings.SSE_COMPONENTS = {"BROKER_URL": f"redis://127.0.0.1:{port}/0"}


# What is known of it


@pytest.mark.parametrize(
    ("take", "lives"),
    [
        (lambda: revoke(7, "room.a"), MAX_GRANT_SECONDS),
        (lambda: disconnect_user(7), MAX_GRANT_SECONDS),
        (lambda: revoking.revoke_user(7), MAX_GRANT_SECONDS),
        (lambda: revoking.revoke_session("key"), GRANT_SECONDS),
        (lambda: revoking.revoke_browser("fingerprint"), GRANT_SECONDS),
    ],
)
def test_it_is_known_for_as_long_as_a_grant_from_before_it_may_live(
    revocations: Callable[[], list[tuple[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    take: Callable[[], None],
    lives: int,
) -> None:
    take()
    broker: Any = runtime.broker()
    clock = broker._clock
    later = 0
    monkeypatch.setattr(broker, "_clock", lambda: clock() + later * 1_000_000)
    assert len(revocations()) == 1
    later = lives - 10
    assert len(revocations()) == 1
    later = lives + 10
    assert revocations() == []


# In a transaction


# Admin: removes a member, revokes. Member: renews, and is one still. Admin: commits.
@DATABASE
@pytest.mark.parametrize(
    "take",
    [
        lambda: revoke(7, "chat.**"),
        lambda: async_to_sync(arevoke)(7, "chat.**"),
    ],
)
def test_in_a_transaction_it_is_revoked_after_the_commit(
    revocations: Any, take: Any
) -> None:
    with transaction.atomic():
        take()
        assert revocations() == []
    assert revocations() == [("user:7", "chat.**")]
    take()
    assert revocations() == [("user:7", "chat.**")]


@DATABASE
@pytest.mark.parametrize(
    "take", [lambda: disconnect_user(7), lambda: async_to_sync(adisconnect_user)(7)]
)
def test_in_a_transaction_a_user_is_disconnected_after_the_commit(
    revocations: Any, take: Any
) -> None:
    with transaction.atomic():
        take()
        assert revocations() == []
    assert revocations() == [("user:7", "")]


@DATABASE
def test_what_is_rolled_back_revokes_nothing(revocations: Any) -> None:
    with transaction.atomic():
        revoke(7, "chat.**")
        transaction.set_rollback(True)
    assert revocations() == []


# A broker is away at the commit; it comes back.
@DATABASE
def test_what_a_broker_that_is_away_is_owed_after_a_commit_is_revoked_later(
    new_redis_server: NewRedisServer,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = new_redis_server()
    settings.SSE_COMPONENTS = {"BROKER_URL": server.url}
    with transaction.atomic():
        revoke(7, "chat.**")
        disconnect_user(8)
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    server.start()
    (thread,) = (one for one in threading.enumerate() if one.name == THREAD)
    thread.join(SECONDS)
    found = async_to_sync(runtime.broker().revocations)()
    assert {(one.subject, one.pattern) for one in found} == {
        ("user:7", "chat.**"),
        ("user:8", ""),
    }
    async_to_sync(runtime.stop)()


class Failing(MemoryBroker):
    """Is away for its second revocation only."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def revoke(self, subject: str, pattern: str, seconds: float) -> Position:
        self.asked.append(subject)
        if len(self.asked) == 2:
            raise BrokerUnavailable("It is away.")
        return super().revoke(subject, pattern, seconds)


# One of those that are owed is revoked; the broker goes away again; it comes back.
@pytest.mark.usefixtures("away")
def test_what_is_owed_is_revoked_once_whatever_becomes_of_the_others() -> None:
    runtime._runtime().broker = broker = Failing()
    for number in range(3):
        runtime.owe_revocations((f"user:{number}", "", 60))
    (thread,) = (one for one in threading.enumerate() if one.name == THREAD)
    thread.join(SECONDS)
    assert broker.asked == ["user:0", "user:1", "user:1", "user:2"]


@DATABASE
@pytest.mark.usefixtures("away")
@pytest.mark.parametrize(
    "take", [lambda: revoke(7, "chat.**"), lambda: disconnect_user(7)]
)
def test_a_broker_that_is_away_is_an_error_where_there_is_no_transaction(
    take: Callable[[], None],
) -> None:
    with pytest.raises(BrokerUnavailable):
        take()


@DATABASE
def test_where_it_reaches_nobody_it_is_an_error_also_in_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(BrokerUnavailable, match="BROKER_URL"):
        revoke(7, "chat.**")


# What is revoked from whom


def test_a_session_is_revoked_without_its_key(revocations: Any) -> None:
    revoke(7, f"session.{KEY}")
    assert revocations() == [("user:7", f"session.{hashed(KEY)}")]
    revoke(7, "session.not a segment")
    assert revocations()[-1] == ("user:7", f"session.{hashed('not a segment')}")


@pytest.mark.parametrize("pattern", ["", "a..b", "a b", None, 7])
def test_what_is_no_pattern_is_refused(revocations: Any, pattern: Any) -> None:
    with pytest.raises(InvalidGroup):
        revoke(7, pattern)
    assert revocations() == []


@pytest.mark.parametrize("user", [7, "7", "07", " 7", User(pk=7), User(pk="07")])
def test_a_user_has_one_id_however_it_is_given(revocations: Any, user: Any) -> None:
    revoke(user, "chat.**")
    assert revocations() == [("user:7", "chat.**")]


@pytest.mark.parametrize("user", ["x", "", None, User(), AnonymousUser(), "7.5", []])
def test_what_is_no_primary_key_is_refused(user: Any) -> None:
    for take in (disconnect_user, lambda user: revoke(user, "chat.**")):
        with pytest.raises(ValueError, match="is not the primary key of a user"):
            take(user)


def test_a_uuid_is_one_id_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Meta:
        pk = models.UUIDField()

    monkeypatch.setattr(get_user_model(), "_meta", Meta)
    id = UUID("12345678-1234-5678-1234-567812345678")
    for given in (id, str(id), id.hex, str(id).upper()):
        assert revoking.user_id(given) == str(id)
    with pytest.raises(ValueError, match="is not the primary key"):
        revoking.user_id("7")
