"""A server that has no time at first."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread
from types import TracebackType
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    once: str
    """Its Idempotency-Key."""
    body: bytes
    moment: float


class Busy:
    """Answers that it can't yet, that it is too much, not at all, and then."""

    ANSWER: ClassVar = {"id": "7f3a9c21:1763799845130001", "duplicate": False}

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def waits(self) -> Sequence[float]:
        """Seconds between one request and the next."""
        moments = [request.moment for request in self.requests]
        return [then - now for now, then in pairwise(moments)]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                once = self.headers["Idempotency-Key"]
                requests.append(Request(self.path, once, body, time.monotonic()))
                self.close_connection = True
                match len(requests):
                    case 1:
                        self._answer(503, {"status": 503})
                    case 2:
                        self._answer(429, {"status": 429})
                    case 3:
                        self.connection.shutdown(socket.SHUT_RDWR)
                    case _:
                        self._answer(202, Busy.ANSWER)

            def _answer(self, status: int, body: object) -> None:
                self.send_response(status)
                self.send_header("Retry-After", "1")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        return Handler
