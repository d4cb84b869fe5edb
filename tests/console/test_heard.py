"""Groups that are heard, without the console's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sse_components import runtime
from sse_components.brokers.base import Report
from sse_components.brokers.memory import MemoryBroker
from sse_components.console import heard
from sse_components.events import Draft

OURS = {f"console.user.{number}": 1 for number in range(9)}
OTHERS = {"console": 1, "consoles": 2, "a": 3, "a.*": 1, "z": 5}


@pytest.fixture
def broker() -> Iterator[MemoryBroker]:
    broker = MemoryBroker()
    asyncio.run(broker.report(Report("n", 1, 0, {}, OURS | OTHERS)))
    with runtime.publishing_to(broker):
        yield broker


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 20])
def test_all_but_the_console_s_own_are_found_page_by_page(limit: int) -> None:
    found, after = dict[str, int](), ""
    while True:
        page, after = heard.page("", after, limit)
        assert len(page) <= limit
        found |= {one.name: one.subscribers for one in page}
        if not after:
            break
    assert list(found.items()) == sorted(OTHERS.items())


@pytest.mark.usefixtures("broker")
def test_those_that_begin_with_a_text_are_found() -> None:
    page, after = heard.page("cons", "", 2)
    assert [one.name for one in page] == ["console", "consoles"]
    assert after == ""
    assert heard.page("console.", "", 2) == ([], "")


def test_the_last_events_of_a_group_come_newest_first(broker: MemoryBroker) -> None:
    broker.publish([Draft("a", "test", b"%d" % number) for number in range(5)])
    lines = heard.last_events("a", 3)
    assert [line["payload"] for line in lines] == ["4", "3", "2"]
    assert heard.last_events("b", 3) == []
