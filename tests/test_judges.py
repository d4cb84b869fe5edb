from __future__ import annotations

import pytest

from sse_components import runtime
from sse_components.brokers.memory import MemoryBroker
from sse_components.events import Position
from sse_components.groups import is_reserved
from sse_components.hub import Hub
from sse_components.judges import Judge, Reader
from sse_components.revocations import Whose, may_end_for_good, user_subject


async def test_a_reader_knows_what_was_revoked_and_nothing_later() -> None:
    broker = MemoryBroker()
    before = await broker.position()
    revoked = broker.revoke(user_subject("7"), "", 60)
    reader = await Reader.read(broker, is_reserved)
    await reader.recalled()
    assert reader.revocations.cover(Whose(before, user="7"))
    assert reader.judged == reader.position
    assert reader.judged.seq >= revoked.seq
    broker.revoke(user_subject("8"), "", 60)
    assert not reader.revocations.cover(Whose(before, user="8"))
    # So whoever it lets in is found by the next one.
    later = await Reader.read(broker, is_reserved)
    assert later.revocations.cover(Whose(reader.judged, user="8"))


async def test_a_hub_judges_too() -> None:
    broker = MemoryBroker()
    hub = Hub(broker)
    judges: list[Judge] = [hub, await Reader.read(broker, is_reserved)]
    await hub.start()
    try:
        for judge in judges:
            await judge.recalled()
            assert not judge.draining
            assert judge.farewell("rotated").json.startswith(b'{"type":"stream-close"')
    finally:
        await hub.close()


def test_what_may_return_is_no_reason_to_end_for_good() -> None:
    whose = Whose(
        Position("e", 5),
        user="7",
        browser="b",
        session="h-s",
        others=frozenset({"key:k", "issuer:i"}),
    )
    left = may_end_for_good(whose)
    assert left.subjects == {"user:7", "browser:b", "issuer:i"}
    assert left.position == whose.position


@pytest.fixture
def fresh() -> None:
    runtime.reset()


async def test_without_a_hub_what_is_revoked_is_read_now_and_then(fresh: None) -> None:
    first = await runtime.judge()
    assert await runtime.judge(fresh=False) is first
    # What is granted now is granted after what was revoked a moment ago.
    assert await runtime.judge() is not first
    await runtime.start()
    assert await runtime.judge() is runtime.hub()
    await runtime.stop()
    assert await runtime.judge() is not first
    runtime.reset()
