"""What many who are told of the same are told over both transports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from sse_components import ComponentDispatcher
from sse_components.asgi import Application
from sse_components.spread import FETCHES_PER_SECOND, LEAST_SPREAD_OF_ALL, SPREAD_STEP
from tests.clients import Received
from tests.communicator import Exchange, Opener, connect, request
from tests.streams.asking import ALIEN, asking

MANY = FETCHES_PER_SECOND * SPREAD_STEP // 1000


@asynccontextmanager
async def crowd(
    app: Application, count: int, *openers: Opener
) -> AsyncIterator[list[Exchange]]:
    """Open so many streams of a group, in turn over each of some transports."""
    async with AsyncExitStack() as stack:
        exchanges = []
        for number in range(count):
            opener = openers[number % len(openers)]
            opening = opener(app, asking("news.updates"))
            exchange = await stack.enter_async_context(opening)
            await exchange.until("keep-alive")
            exchanges.append(exchange)
        yield exchanges


async def told(exchange: Exchange) -> Received:
    """Return the next event that isn't the stream's own."""
    while (event := await exchange.next()).type == "keep-alive":
        pass
    return event


def position_before(event: Received) -> str:
    epoch, _, seq = event.data["id"].partition(":")
    return f"{epoch}:{int(seq) - 1}"


@pytest.mark.parametrize(("count", "spread"), [(1, None), (MANY, SPREAD_STEP)])
async def test_many_who_are_told_of_a_new_row_are_told_to_fetch_over_time(
    app: Application, stream: Opener, count: int, spread: int | None
) -> None:
    async with crowd(app, count, stream) as exchanges:
        await ComponentDispatcher.component_created("news.updates")
        events = [await told(exchange) for exchange in exchanges]
    assert [event.data.get("spread") for event in events] == [spread] * count
    assert list(events[0].data)[6:] == (["spread"] if spread else [])


async def test_those_of_all_transports_count_and_are_told_the_same(
    app: Application,
) -> None:
    async with crowd(app, MANY, request, connect) as exchanges:
        await ComponentDispatcher.notify("news.updates", "hello")
        events = [await told(exchange) for exchange in exchanges]
    assert events[0].data["spread"] == SPREAD_STEP
    assert all(event.data == events[0].data for event in events)


async def test_a_type_of_ones_own_has_no_spread(
    app: Application, stream: Opener
) -> None:
    async with crowd(app, MANY, stream) as exchanges:
        await ComponentDispatcher.publish("news.updates", "stock", {"left": 3})
        assert "spread" not in (await told(exchanges[0])).data


@pytest.mark.parametrize(("others", "spread"), [(0, None), (MANY, LEAST_SPREAD_OF_ALL)])
async def test_a_reset_of_all_groups_is_fetched_over_seconds_where_many_are(
    app: Application, stream: Opener, others: int, spread: int | None
) -> None:
    headers = {"Last-Event-ID": ALIEN}
    async with (
        crowd(app, others, stream),
        stream(app, asking("news.updates"), headers) as exchange,
    ):
        data = (await exchange.until("stream-reset"))[-1].data
    assert data.get("spread") == spread
    assert data["groups"] == ["broadcast", "news.updates"]


async def test_what_many_have_missed_is_fetched_over_time(
    app: Application, stream: Opener
) -> None:
    async with crowd(app, 1, stream) as (first,):
        await ComponentDispatcher.component_created("news.updates")
        event = await told(first)
        assert "spread" not in event.data
        headers = {"Last-Event-ID": position_before(event)}
        async with (
            crowd(app, MANY - 2, stream),
            stream(app, asking("news.updates"), headers) as exchange,
        ):
            missed = (await exchange.until("keep-alive"))[-2]
    assert missed.id == event.id
    assert missed.data["spread"] == SPREAD_STEP
