"""The proxy's control port, over one connection that is kept."""

from __future__ import annotations

from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

ANSWER_SECONDS = 5


class Unpublished(Exception):
    """It isn't known that the proxy has what was published."""


class Rejected(Unpublished):
    """The proxy doesn't take it, and wouldn't the next time."""


class Control:
    """Publishes; one thread at a time may call it, and it blocks."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        assert parts.hostname  # as the setting was read
        self._connection = kind(parts.hostname, parts.port, timeout=ANSWER_SECONDS)
        self._path = f"{parts.path}/publish/"

    def publish(self, body: bytes) -> None:
        """Return when the proxy has taken it; raises `Unpublished`."""
        headers = {"Content-Type": "application/json"}
        try:
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            text = answer.read(200).decode(errors="replace").strip()
            answer.read()
        except (OSError, HTTPException) as error:
            self.close()
            raise Unpublished(f"{type(error).__name__}: {error}") from error
        if answer.status >= 500:
            raise Unpublished(f"It answers {answer.status}: {text}")
        if answer.status >= 300:
            raise Rejected(f"It answers {answer.status}: {text}")

    def close(self) -> None:
        """Let go of the connection; the next call makes another."""
        with suppress(OSError):
            self._connection.close()
