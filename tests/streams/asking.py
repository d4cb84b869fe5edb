"""What tests of streams ask with, and how they begin to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings as django_settings

from sse_components import runtime
from sse_components.events import Position
from sse_components.grants import COOKIE, fingerprint
from sse_components.revocations import Whose
from tests.clients import Received
from tests.communicator import Exchange

DATABASE = pytest.mark.django_db(transaction=True)


ALIEN = "0badcafe:1763799845123456"
"""A cursor of an epoch that the broker doesn't know."""


def cookie(key: str) -> dict[str, str]:
    return {"Cookie": f"{django_settings.SESSION_COOKIE_NAME}={key}"}


def asking(*names: str) -> str:
    return "/sse/stream?" + "&".join(f"group={quote(name)}" for name in names)


async def opened(exchange: Exchange) -> Received:
    assert exchange.status == 200
    event = await exchange.next()
    assert event.type == "stream-open"
    return event


async def ended(exchange: Exchange, type: str) -> Any:
    """Return the data of the one frame that a stream consists of."""
    assert exchange.status == 200
    (event,) = await exchange.rest()
    assert event.type == type
    return event.data


INVALID = ["näws", "news updates", "news\nupdates", "x" * 201, "", "a..b", "*", "a/b"]


async def position() -> str:
    """Return where the broker is, once a hub hears it."""
    await runtime.start()
    return str(await runtime.broker().position())


COOKIE_VALUE = "of-this-browser"


BOUND = {"Cookie": f"{COOKIE}={COOKIE_VALUE}"}


def here() -> Position:
    """Return where the embedded broker is."""
    return runtime.broker().statuses([]).position


def grant(*groups: str, seconds: float | None = None, **whose: Any) -> str:
    whose = {"position": here()} | whose
    return runtime.grants().issue(groups, Whose(**whose), seconds=seconds)[0]


def bound(*groups: str, user: str = "7", session: str | None = None) -> str:
    browser = fingerprint(COOKIE_VALUE)
    return grant(*groups, user=user, session=session, browser=browser)


def with_grants(*grants: str, groups: Sequence[str] = ()) -> str:
    given = [("grant", text) for text in grants]
    return "/sse/stream?" + urlencode([*given, *(("group", name) for name in groups)])
