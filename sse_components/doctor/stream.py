"""A client that reads one stream as a browser would, and has no patience."""

from __future__ import annotations

import json
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode

from sse_components import runtime
from sse_components.doctor.address import Address

CHUNK = 65_536
GZIP = 31
"""What zlib calls its window of the largest size, with a header (RFC 1952)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One frame."""

    type: str
    data: dict[str, Any]


class Stream:
    """One stream; after a `TimeoutError` nothing more can be read."""

    def __init__(
        self,
        address: Address,
        seconds: float,
        *,
        grant: str = "",
        group: str = "",
        key: str = "",
    ) -> None:
        self._connection: HTTPConnection = address.connection(seconds)
        given = {"grant": grant, "group": group}
        query = urlencode({name: text for name, text in given.items() if text})
        path = f"{address.path}{runtime.settings().prefix}stream"
        self._target = f"{path}?{query}" if query else path
        self._key = key
        self._answer: HTTPResponse | None = None
        self._gunzip = zlib.decompressobj(GZIP)
        self._text = b""

    def open(self) -> HTTPResponse:
        """Return the head of the answer; raises `OSError` or `HTTPException`."""
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "gzip",
            "Cache-Control": "no-cache",
            "User-Agent": "sse_doctor",
        }
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._connection.request("GET", self._target, headers=headers)
        # An answer to be read to its end takes the socket away from its connection.
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        return self._answer

    def next(self, seconds: float) -> Heard:
        """Return the next frame; raises `TimeoutError`, and `EOFError` at the end."""
        deadline = time.monotonic() + seconds
        while True:
            block, end, rest = self._text.partition(b"\n\n")
            if not end:
                self._text += self._more(deadline - time.monotonic())
                continue
            self._text = rest
            if heard := _heard(block):
                return heard

    def until(self, type: str, seconds: float) -> None:
        """Return when a frame of a type has come; raises as `next` does."""
        deadline = time.monotonic() + seconds
        while self.next(deadline - time.monotonic()).type != type:
            pass

    def close(self) -> None:
        """Cut the connection."""
        if self._answer:
            self._answer.close()
        self._connection.close()

    def _more(self, seconds: float) -> bytes:
        assert self._answer
        if seconds <= 0:
            raise TimeoutError
        self._socket.settimeout(seconds)
        chunk = self._answer.read1(CHUNK)
        if not chunk:
            raise EOFError
        if self._answer.headers["Content-Encoding"] != "gzip":
            return chunk
        try:
            return self._gunzip.decompress(chunk)
        except zlib.error as error:
            raise EOFError("what came can't be unpacked") from error


def _heard(block: bytes) -> Heard | None:
    """Read the lines of a frame; None if it is none of ours, or only a `retry`."""
    fields = dict(line.split(": ", 1) for line in _lines(block))
    with suppress(ValueError):
        data = json.loads(fields.get("data", ""))
        if isinstance(data, dict):
            return Heard(fields.get("event", "message"), data)
    return None


def _lines(block: bytes) -> list[str]:
    lines = block.decode(errors="replace").split("\n")
    return [line for line in lines if ": " in line]
