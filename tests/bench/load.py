"""The load: subscribers and publishers, raw sockets on one epoll instance."""

from __future__ import annotations

import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench import marks
from tests.bench.requests import is_complete, refuse

STALL_SECONDS = 5
"""After so long without a byte, what is still to come is taken for lost."""
OPENING_SECONDS = 60
"""How long all streams together may take to open."""
LIMIT_SECONDS = 6
"""A run publishes no longer than that, however slow the server is."""
OVERTIME_SECONDS = 3
"""How long what was published by then may take to be delivered."""
BUFFER = 256 * 1024


class Failed(Exception):
    """The server didn't do what is measured."""


@dataclass(frozen=True, slots=True)
class Run:
    """What became of events published."""

    delivered: int
    missing: int
    """Lost, or still on their way after the overtime."""
    seconds: float
    """From the first publish to the last delivery."""
    latencies: Sequence[int]
    """Nanoseconds from before a publish is sent to each read, ascending."""
    busy: float
    """The generator's share of its core.

    Near 1 with one event in flight, it is what was measured; with several, it reads
    more at a time when it falls behind, and so is not the limit yet.
    """


@dataclass(slots=True)
class Clock:
    """The seconds that something took, and the generator's share of its core."""

    seconds: float = 0
    busy: float = 0


@contextmanager
def timed() -> Iterator[Clock]:
    """Measure a block; the clock is right after it."""
    clock = Clock()
    start, start_busy = time.perf_counter(), time.process_time()
    yield clock
    clock.seconds = time.perf_counter() - start
    clock.busy = (time.process_time() - start_busy) / clock.seconds


class Load:
    """Reads as fast as it can, and does little else.

    WebSocket frames of a server are unmasked, so they are read like SSE. Nothing is
    answered: a run ends before a server misses the answer to its ping.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._buffer = bytearray(BUFFER)
        self._view = memoryview(self._buffer)
        self._streams: dict[int, socket.socket] = {}
        self._stalled: list[socket.socket] = []
        self._publishers: dict[int, socket.socket] = {}
        self._idle: deque[int] = deque()
        self._answers: dict[int, bytearray] = {}
        self._received: dict[int, bytearray] = {}
        self._tails: dict[int, bytes] = {}
        self._latencies = array("q")
        self._delivered = 0
        self._last = 0.0
        """When something was last delivered."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drop()
        self._close_publishers()
        self._epoll.close()

    # Streams.

    def gather(
        self,
        requests: Sequence[bytes],
        ready: Callable[[bytearray], bool],
        in_flight: int = 64,
    ) -> list[bytearray]:
        """Open streams, so many at a time; return all each received, still growing.

        A stream is in flight until what it has received is `ready`.
        """
        self._received = {}
        waiting = deque(requests)
        opening: set[int] = set()
        deadline = time.monotonic() + OPENING_SECONDS
        while waiting or opening:
            while waiting and len(opening) < in_flight:
                fd = self._subscribe(waiting.popleft())
                opening.add(fd)
                self._received[fd] = bytearray()
            came = self._collect(STALL_SECONDS)
            if not came or time.monotonic() > deadline:
                left = len(waiting) + len(opening)
                raise Failed(f"{left} of {len(requests)} streams did not open.")
            for fd in came & opening:
                refuse(self._received[fd])
                if ready(self._received[fd]):
                    opening.discard(fd)
        return list(self._received.values())

    def listen(self, seconds: float) -> None:
        """Go on receiving on the streams gathered."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._collect(left)

    def stall(self, requests: Sequence[bytes]) -> None:
        """Open streams that are never read from."""
        for request in requests:
            stream = socket.socket()
            self._stalled.append(stream)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.connect(("127.0.0.1", self._port))
            stream.sendall(request)

    @property
    def unread(self) -> int:
        """Bytes that the system holds back for the streams never read from."""
        ports = {stream.getsockname()[1] for stream in self._stalled}
        count = 0
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, _, remote, _, queues, *_ = line.split()
            if int(remote.partition(":")[2], 16) in ports:
                count += int(queues.partition(":")[0], 16)
        return count

    def settle(self, quiet: float = 1.2) -> None:
        """Read until nothing has come for so many seconds, at most ten times that."""
        deadline = time.monotonic() + 10 * quiet
        while self._read(quiet) and time.monotonic() < deadline:
            pass

    def drop(self) -> None:
        """Close all streams at once."""
        for stream in [*self._streams.values(), *self._stalled]:
            stream.close()
        self._streams.clear()
        self._stalled.clear()
        self._received = {}
        self._tails.clear()

    # Events.

    def run(
        self,
        publish: Callable[[], bytes],
        times: int,
        *,
        each: int,
        in_flight: int = 1,
    ) -> Run:
        """Publish so many times, each to be delivered `each` times.

        One in flight: the next is published when all have had this one. Several: from
        as many connections, each with one request at a time.
        """
        self._received = {}
        self._begin(in_flight)
        before, wanted, sent = self._delivered, 0, 0
        self._latencies = array("q")
        with timed() as clock:
            start = self._last = time.perf_counter()
            while True:
                late = time.perf_counter() - start - LIMIT_SECONDS
                arrived = self._delivered - before >= wanted
                if sent < times and late < 0:
                    while self._idle and sent < times and (in_flight > 1 or arrived):
                        self._publish(publish())
                        sent += 1
                        wanted += each
                        arrived = False
                elif late > OVERTIME_SECONDS or (
                    arrived and len(self._idle) == in_flight
                ):
                    break
                if not self._read(STALL_SECONDS):
                    break
        self._close_publishers()
        delivered = self._delivered - before
        if not delivered:
            raise Failed("Nothing was delivered.")
        return Run(
            delivered=delivered,
            missing=wanted - delivered,
            seconds=self._last - start,
            latencies=sorted(self._latencies),
            busy=clock.busy,
        )

    def _begin(self, publishers: int) -> None:
        for _ in range(publishers):
            publisher = socket.create_connection(("127.0.0.1", self._port), 10)
            publisher.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            fd = publisher.fileno()
            self._publishers[fd] = publisher
            self._idle.append(fd)
            self._epoll.register(fd, select.EPOLLIN)

    def _close_publishers(self) -> None:
        for publisher in self._publishers.values():
            publisher.close()
        self._publishers.clear()
        self._idle.clear()
        self._answers.clear()

    def _publish(self, request: bytes) -> None:
        fd = self._idle.popleft()
        self._answers[fd] = bytearray()
        self._publishers[fd].sendall(request)

    def _answer(self, fd: int) -> None:
        data = self._publishers[fd].recv(65536)
        if not data or fd not in self._answers:
            raise Failed("The server has hung up on a publisher.")
        self._answers[fd] += data
        if is_complete(self._answers[fd]):
            del self._answers[fd]
            self._idle.append(fd)

    # Reading.

    def _subscribe(self, request: bytes) -> int:
        stream = socket.socket()
        # The system completes it without the server, as long as its backlog isn't full.
        stream.connect(("127.0.0.1", self._port))
        stream.sendall(request)
        stream.setblocking(False)
        fd = stream.fileno()
        self._streams[fd] = stream
        self._epoll.register(fd, select.EPOLLIN)
        return fd

    def _collect(self, timeout: float) -> set[int]:
        """Keep what comes within some seconds, at the first; return whose it is."""
        came = set()
        for fd, _ in self._epoll.poll(timeout):
            size = _receive(self._streams[fd], self._buffer)
            self._received[fd] += self._view[:size]
            came.add(fd)
        return came

    def _read(self, timeout: float) -> bool:
        """Count what comes within some seconds, at the first; whether anything did."""
        ready = self._epoll.poll(timeout)
        buffer, view = self._buffer, self._view
        streams, tails = self._streams, self._tails
        delivered = 0
        for fd, _ in ready:
            stream = streams.get(fd)
            if stream is None:
                self._answer(fd)
                continue
            tail = tails.pop(fd, b"")
            buffer[: len(tail)] = tail
            size = _receive(stream, view[len(tail) :] if tail else buffer)
            count, first, rest = marks.scan(buffer, len(tail) + size)
            if rest:
                tails[fd] = rest
            if count:
                delivered += count
                self._latencies.append(time.monotonic_ns() - first)
        if delivered:
            self._delivered += delivered
            self._last = time.perf_counter()
        return bool(ready)


def _receive(stream: socket.socket, buffer: bytearray | memoryview) -> int:
    try:
        size = stream.recv_into(buffer)
    except ConnectionError as error:
        raise Failed(f"The server has cut a stream: {error}") from None
    if not size:
        raise Failed("The server has ended a stream.")
    return size
