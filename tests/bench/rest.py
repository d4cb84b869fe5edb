"""The workloads of the REST API: one publish at a time, and batches."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.bench import marks
from tests.bench.load import STALL_SECONDS, Failed, timed
from tests.bench.ours import EMPTY
from tests.bench.requests import is_complete, posting, publishing
from tests.bench.results import Measure, percentiles
from tests.bench.server import running
from tests.bench.target import Target

TURNS: Final = 8
TURN_SECONDS: Final = 0.1
"""Long enough that garbage is mostly collected in the turn of who has made it."""
BATCH: Final = 500
GROUPS: Final = 100
"""How many groups the events of a batch go to, one after the other."""
BATCH_SECONDS: Final = 1
WARM_UP_SECONDS: Final = 0.2

Kind = Literal["empty", "publish", "batch"]
Make = Callable[[], bytes]


class Workloads:
    """W7 and W8, of one server that is started once for both.

    What is asked for first has all of them measured.
    """

    def __init__(self) -> None:
        self._measures: dict[Kind, Measure] = {}

    def empty(self, target: Target) -> Measure:
        """W7's measure to compare with: requests to an endpoint that does nothing."""
        return self._take("empty", target)

    def publishing(self, target: Target) -> Measure:
        """W7: publishes one after the other, a turn each with the empty endpoint."""
        return self._take("publish", target)

    def batches(self, target: Target) -> Measure:
        """W8: events in batches, the next when this one is answered."""
        return self._take("batch", target)

    def _take(self, kind: Kind, target: Target) -> Measure:
        if kind not in self._measures:
            self._measures = _measure(target)
        return self._measures.pop(kind)


def _measure(target: Target) -> dict[Kind, Measure]:
    with running(target) as server, closing(Publisher(server.port)) as publisher:
        port = server.port
        endless = bodies()
        empty = _Asked(lambda: _asking_nothing(target, port))
        publish = _Asked(lambda: publishing(target, port, marks.text()))
        batch = _Asked(lambda: posting(target, port, "/api/v1/events", next(endless)))
        for asked in (empty, publish, batch):
            publisher.ask(asked.make, WARM_UP_SECONDS)
        for _ in range(TURNS):
            empty.ask(publisher, TURN_SECONDS)
            publish.ask(publisher, TURN_SECONDS)
        batch.ask(publisher, BATCH_SECONDS)
    events = sum(accepted(answer) for answer in batch.answers)
    refused = len(batch.answers) * BATCH - events
    return {
        "empty": empty.measure(len(empty.answers)),
        "publish": publish.measure(len(publish.answers)),
        "batch": batch.measure(events, refused=refused),
    }


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer, and how long it took to come."""

    body: bytes
    nanoseconds: int


class Publisher:
    """A connection that is kept alive, with one request at a time."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), STALL_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._socket.close()

    def ask(self, make: Make, seconds: float) -> list[Answer]:
        """Send requests for so long, each when the one before is answered."""
        deadline = time.monotonic() + seconds
        answers = []
        while time.monotonic() < deadline:
            answers.append(self._ask(make()))
        return answers

    def _ask(self, request: bytes) -> Answer:
        sent = time.monotonic_ns()
        self._socket.sendall(request)
        read = bytearray()
        while not is_complete(read):
            data = self._socket.recv(65536)
            if not data:
                raise Failed("The server has hung up on a publisher.")
            read += data
        took = time.monotonic_ns() - sent
        return Answer(bytes(read).partition(b"\r\n\r\n")[2], took)


@dataclass(slots=True)
class _Asked:
    """What came of one kind of request in all its turns."""

    make: Make
    answers: list[Answer] = field(default_factory=list)
    _seconds: float = 0
    _busy: list[float] = field(default_factory=list)

    def ask(self, publisher: Publisher, seconds: float) -> None:
        with timed() as clock:
            self.answers += publisher.ask(self.make, seconds)
        self._seconds += clock.seconds
        self._busy.append(clock.busy)

    def measure(self, count: int, **facts: float) -> Measure:
        latencies = percentiles(sorted(answer.nanoseconds for answer in self.answers))
        return Measure(count / self._seconds, max(self._busy), latencies, facts)


def _asking_nothing(target: Target, port: int) -> bytes:
    _, body = target.publish(marks.text())
    return posting(target, port, EMPTY, body)


def bodies() -> Iterator[bytes]:
    """Make batches without end, quickly: all are alike but for the time in them."""
    mark = marks.text(marks.LENGTH)
    events = [
        {
            "type": "component.data_changed",
            "group": f"news.{number % GROUPS}",
            "data": {"headline": mark.ljust(100, "x")},
        }
        for number in range(BATCH)
    ]
    body = json.dumps({"events": events}).encode()
    while True:
        yield body.replace(mark.encode(), marks.text(marks.LENGTH).encode())


def accepted(answer: Answer) -> int:
    """Return how many events of a batch have been given an id."""
    results = json.loads(answer.body)["results"]
    return sum(bool(result.get("id")) for result in results)
