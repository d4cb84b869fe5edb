from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django import Settings

from api.access import Holder
from api.limits import Rate
from tests.api.clients import System
from tests.api.conftest import Heard

ADDRESS = "/groups/news.updates/data-changed"
ONCE_A_QUARTER_OF_AN_HOUR = 1 / 900


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def request(name: str, own: float | None = None) -> HttpRequest:
    made = RequestFactory().post(f"/api/v1{ADDRESS}")
    made.auth = Holder(name, ("**",), rate=own)  # type: ignore[attr-defined]  # as Ninja does
    return made


def allowed(
    rate: Rate, attempts: int, name: str = "a", own: float | None = None
) -> int:
    return sum(rate.allow_request(request(name, own)) for _ in range(attempts))


@pytest.mark.parametrize(
    ("setting", "at_once", "seconds_for_one_more"),
    [(4, 4, 0.25), (1, 1, 1.0), (0.5, 1, 2.0), (2.5, 2, 0.2)],
)
def test_a_key_may_ask_so_often_a_second(
    settings: Settings,
    setting: float,
    at_once: int,
    seconds_for_one_more: float,
) -> None:
    settings.SSE_API_RATE = setting
    clock = Clock()
    rate = Rate(clock)
    assert allowed(rate, 10) == at_once
    clock.now += seconds_for_one_more
    assert allowed(rate, 10) == 1


def test_what_a_key_has_not_used_adds_up_to_a_second_only(
    settings: Settings,
) -> None:
    settings.SSE_API_RATE = 4
    clock = Clock()
    rate = Rate(clock)
    assert allowed(rate, 10) == 4
    clock.now += 3600
    assert allowed(rate, 10) == 4


def test_refused_requests_cost_nothing(settings: Settings) -> None:
    settings.SSE_API_RATE = 4
    clock = Clock()
    rate = Rate(clock)
    allowed(rate, 100)
    clock.now += 0.5
    assert allowed(rate, 100) == 2


# A74
def test_one_key_uses_up_nothing_of_another(settings: Settings) -> None:
    settings.SSE_API_RATE = 4
    rate = Rate(Clock())
    assert allowed(rate, 10, "a") == 4
    assert allowed(rate, 10, "b") == 4


# A74
def test_a_key_may_have_a_rate_of_its_own(settings: Settings) -> None:
    settings.SSE_API_RATE = 4
    rate = Rate(Clock())
    assert allowed(rate, 10, "a", own=2) == 2
    assert rate.wait() == 0.5
    assert allowed(rate, 10, "b", own=0) == 10
    assert allowed(rate, 10, "c", own=None) == 4


def test_a_rate_of_0_is_no_limit(settings: Settings) -> None:
    settings.SSE_API_RATE = 0
    assert allowed(Rate(Clock()), 1000) == 1000


# A74
async def test_a_key_over_its_rate_is_told_when_to_come_back(
    system: System, heard: Heard, settings: Settings
) -> None:
    settings.SSE_API_RATE = ONCE_A_QUARTER_OF_AN_HOUR
    # Another test may have used up the first one: the process has one limit.
    first = await system.post(ADDRESS, {})
    assert first.status in (202, 429)
    second = await system.post("/events", {"events": []})
    assert "rate" in second.problem(429)["detail"]
    assert second.headers["Retry-After"] == "900"
    assert len(await heard()) == (first.status == 202)


# A74
async def test_who_has_no_key_is_neither_limited_nor_counted(
    system: System, settings: Settings
) -> None:
    settings.SSE_API_RATE = ONCE_A_QUARTER_OF_AN_HOUR
    for _ in range(3):
        (await System({}).post(ADDRESS, {})).problem(401)


async def test_a_higher_rate_holds_at_once(
    system: System, heard: Heard, settings: Settings
) -> None:
    settings.SSE_API_RATE = ONCE_A_QUARTER_OF_AN_HOUR
    await system.post(ADDRESS, {})
    (await system.post(ADDRESS, {})).problem(429)
    settings.SSE_API_RATE = 1e9  # so that one is left after a nanosecond
    assert (await system.post(ADDRESS, {})).id


def test_who_has_waited_most_of_the_time_is_told_the_rest() -> None:
    clock = Clock()
    rate = Rate(clock)
    assert allowed(rate, 1, own=0.001) == 1
    clock.now += 900
    assert allowed(rate, 1, own=0.001) == 0
    assert rate.wait() == pytest.approx(100)
