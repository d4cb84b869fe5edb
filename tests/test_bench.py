from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import marks, rest, results
from tests.bench.cases import cases, chosen
from tests.bench.ours import BESIDE_EMPTY, EMPTY, OURS
from tests.bench.requests import Refused, is_complete, posting
from tests.bench.results import Case, Goal, Measure
from tests.servers import Server


def read(pieces: list[bytes]) -> tuple[int, list[int]]:
    """Scan pieces as the load does; return how many marks, and the first of each."""
    count, firsts, tail = 0, [], b""
    for piece in pieces:
        data = bytearray(tail + piece)
        found, first, tail = marks.scan(data, len(data))
        count += found
        if found:
            firsts.append(first)
    return count, firsts


def frames(count: int) -> bytes:
    texts = [f"@{number:019}@{'x' * 20}" for number in range(1, count + 1)]
    return "".join(f'id: e:1\ndata: {{"t":"{text}"}}\n\n' for text in texts).encode()


@given(st.integers(0, 5), st.lists(st.integers(0, 400)))
def test_marks_are_counted_once_however_reads_are_split(
    events: int, places: list[int]
) -> None:
    data = frames(events)
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    count, firsts = read(pieces)
    assert count == events
    assert firsts == sorted(firsts)
    assert firsts[:1] == ([1] if events else [])


def test_what_is_left_of_an_earlier_read_in_the_buffer_is_not_counted() -> None:
    data = bytearray(frames(2))
    assert marks.scan(data, len(data) // 2)[0] == 1


def test_a_text_has_its_mark_and_size() -> None:
    data = bytearray(marks.text(100).encode())
    assert len(data) == 100
    assert marks.scan(data, 100)[0] == 1


@pytest.mark.parametrize(
    ("answer", "complete"),
    [
        (b"HTTP/1.1 202 Accepted\r\nContent-Le", False),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{", False),
        (b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n", False),
        (
            b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nok\r\n0\r\n\r\n",
            True,
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    ],
)
def test_an_answer_is_complete_by_its_length_or_last_chunk(
    answer: bytes, complete: bool
) -> None:
    assert is_complete(answer) is complete


def test_an_answer_with_an_error_is_refused() -> None:
    with pytest.raises(Refused, match="503"):
        is_complete(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")


def measured(*values: float, **facts: float) -> dict[int, Measure]:
    return {n: Measure(value, 0.5, facts=facts) for n, value in enumerate(values)}


def case(name: str, *, is_peer: bool = False, goal: Goal | None = None) -> Case:
    base = None if name == "ours" else ("W1", "ours")
    return Case("W1", name, "/s", OURS, lambda _: Measure(0, 0), base, is_peer, goal)


def test_the_ratio_is_the_median_of_those_within_a_round() -> None:
    rounds = {
        ("W1", "ours"): measured(100, 10, 1000),
        ("W1", "Redis"): measured(50, 8, 900),
        ("W1", "peer"): measured(50, 20, 100),
    }
    assert results.ratio(case("ours"), rounds) is None
    assert results.ratio(case("Redis"), rounds) == pytest.approx(0.8)
    assert results.ratio(case("peer", is_peer=True), rounds) == pytest.approx(2)


def test_a_round_that_failed_is_left_out_of_the_ratio() -> None:
    rounds = {
        ("W1", "ours"): measured(100, 100, 100),
        ("W1", "Redis"): {2: Measure(40, 0.5)},
    }
    assert results.ratio(case("Redis"), rounds) == pytest.approx(0.4)
    assert results.ratio(case("Redis"), {}) is None


@pytest.mark.parametrize(
    ("goal", "reached", "holds"),
    [
        (Goal(0.9, "ratio", ""), 0.9, True),
        (Goal(0.9, "ratio", ""), 0.89, False),
        (Goal(14, "value", "", at_most=True), 14, True),
        (Goal(14, "value", "", at_most=True), 14.1, False),
    ],
)
def test_a_goal_holds_from_its_bound_on(
    goal: Goal, reached: float, holds: bool
) -> None:
    assert goal.holds(reached, {}) is holds


def test_a_goal_does_not_hold_if_something_was_lost_in_any_round() -> None:
    one = case("ours", goal=Goal(1, "value", "", none_of=("lost",)))
    lost = measured(5, 5) | {2: Measure(5, 0.5, facts={"lost": 1})}
    assert results.row(one, {one.key: measured(5, 5, lost=0)}, "")["holds"] is True
    assert results.row(one, {one.key: lost}, "")["holds"] is False


def test_what_was_not_run_neither_holds_nor_fails() -> None:
    row = results.row(case("nchan", goal=Goal(1, "ratio", ">= 1 x")), {}, "")
    assert (row["holds"], row["note"], row["target"]) == (None, "not run", ">= 1 x")


def test_chosen_workloads_come_with_what_they_are_compared_with() -> None:
    keys = [case.key for case in chosen(cases([]), ["W9"])]
    assert keys == [("W1", "ours"), ("W9", "ours, Redis")]


def test_publishing_is_compared_with_an_empty_endpoint_of_the_same_server() -> None:
    empty, ours, empty_redis, ours_redis = chosen(cases([]), ["W7"])
    assert (empty.target, ours.base) == (ours.target, empty.key)
    assert (empty_redis.target, ours_redis.base) == (ours_redis.target, empty_redis.key)


def test_batches_are_alike_but_for_their_times() -> None:
    bodies = rest.bodies()
    first, second = (json.loads(next(bodies))["events"] for _ in range(2))
    assert len(first) == len(second) == rest.BATCH
    assert len({event["group"] for event in first}) == rest.GROUPS
    assert {len(event["data"]["headline"]) for event in first} == {100}
    assert [event["group"] for event in first] == [event["group"] for event in second]
    before, *_ = {event["data"]["headline"] for event in first}
    assert all(event["data"]["headline"] > before for event in second)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder, application="tests.bench.empty:application")
    server.start()
    yield server
    assert server.stop() == 0


def test_the_empty_endpoint_takes_the_keys_of_the_api(server: Server) -> None:
    body = b"not JSON"
    answer = httpx.post(server.url + EMPTY, content=body, headers=server.headers)
    assert (answer.status_code, answer.json()) == (200, {})
    assert httpx.post(server.url + EMPTY, content=body).status_code == 401


def batch_of(server: Server, body: bytes) -> bytes:
    target = replace(BESIDE_EMPTY, headers=server.headers)
    return posting(target, server.port, "/api/v1/events", body)


def test_a_publisher_asks_again_when_it_is_answered(server: Server) -> None:
    bodies = rest.bodies()
    with closing(rest.Publisher(server.port)) as publisher:
        answers = publisher.ask(lambda: batch_of(server, next(bodies)), 0.3)
    assert len(answers) >= 2
    assert {rest.accepted(answer) for answer in answers} == {rest.BATCH}
    assert all(answer.nanoseconds > 0 for answer in answers)


def test_an_event_that_was_refused_is_not_counted_as_accepted(server: Server) -> None:
    events = [{"type": "component.data_changed", "group": "a.b"}, {"type": "unknown"}]
    request = batch_of(server, json.dumps({"events": events}).encode())
    with closing(rest.Publisher(server.port)) as publisher:
        answer, *_ = publisher.ask(lambda: request, 0.01)
    assert rest.accepted(answer) == 1


def test_a_publisher_that_is_refused_says_so(server: Server) -> None:
    request = batch_of(server, b"{}")
    publisher = rest.Publisher(server.port)
    with closing(publisher), pytest.raises(Refused, match="422"):
        publisher.ask(lambda: request, 0.01)
