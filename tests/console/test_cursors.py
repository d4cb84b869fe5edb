"""How far connections are, as their processes have said it last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from sse_components import runtime
from sse_components.brokers.memory import MemoryBroker
from sse_components.console.cursors import Cursor, cursors
from sse_components.logbook.statements import Progress

PRESENT: Final = "e:10000000"


@pytest.fixture
def broker() -> Iterator[MemoryBroker]:
    broker = MemoryBroker()
    with runtime.publishing_to(broker):
        yield broker


def test_a_connection_has_all_unless_its_process_says_that_it_is_behind(
    broker: MemoryBroker,
) -> None:
    broker.publish(
        [
            Progress("p", 0, "e:1", {"early": 0}).in_its_log(),
            Progress("p", 1, PRESENT, {"slow": 8_500_000, "new": 0}).in_its_log(),
            Progress("q", 1, PRESENT, {"slow": 9_000_000}, more_behind=1).in_its_log(),
        ]
    )
    found = cursors(["p", "q", "r"])
    assert found.of("p", "fast") == found.of("p", "early") == Cursor(0)
    assert found.of("p", "slow") == Cursor(1.5)
    assert found.of("p", "new") == Cursor(0, has_begun=False)
    assert found.of("q", "slow") == Cursor(1)
    assert found.of("q", "fast") is None  # it may be one of those that aren't listed
    assert found.of("r", "any") is None


@pytest.mark.usefixtures("broker")
def test_of_no_process_nothing_is_known() -> None:
    assert cursors([]).of("p", "any") is None
