"""Requests as bytes, and when their answers are complete."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.bench.target import Target

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # RFC 6455 1.3
}


class Refused(Exception):
    """The server answered with another status than the one that goes on."""


def subscribing(
    target: Target,
    port: int,
    address: str = "",
    cursor: bytes = b"",
    cookie: str = "",
) -> bytes:
    """Return a request for a stream, by default of the group measured."""
    headers = {"Accept": "text/event-stream"}
    if target.websocket:
        # No extension is offered, so the frames that come are plain text.
        headers = _HANDSHAKE | {"Origin": f"http://127.0.0.1:{port}"}
    if cursor:
        headers["Last-Event-ID"] = cursor.decode()
    if cookie:
        headers["Cookie"] = cookie
    return _head("GET", address or target.subscribe, port, headers)


def publishing(target: Target, port: int, text: str) -> bytes:
    """Return a request that publishes a text to the group measured."""
    return posting(target, port, *target.publish(text))


def posting(target: Target, port: int, address: str, body: bytes) -> bytes:
    """Return a POST request with the headers of publish requests."""
    headers = {"Content-Type": "application/json", **target.headers}
    headers["Content-Length"] = str(len(body))
    return _head("POST", address, port, headers) + body


def refuse(data: bytes | bytearray) -> None:
    """Raise `Refused` if an answer's first bytes are of no status that goes on."""
    if len(data) >= 12 and data[9:10] != b"2" and data[9:12] != b"101":
        line = bytes(data[:200]).partition(b"\r\n")[0].decode(errors="replace")
        raise Refused(f"The server answers {line}.")


def is_complete(data: bytes | bytearray) -> bool:
    """Whether an answer has all come."""
    head, separator, body = bytes(data).partition(b"\r\n\r\n")
    if not separator:
        return False
    refuse(head)
    if length := _LENGTH.search(head):
        return len(body) >= int(length[1])
    return b"chunked" not in head.lower() or body.endswith(b"0\r\n\r\n")


def _head(method: str, address: str, port: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {address} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
