"""What a client reads of a stream: the frames, after WHATWG HTML 9.2.6."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from io import IncrementalNewlineDecoder
from typing import Any


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """One frame of a stream: an event, or a control frame of the stream's own."""

    type: str
    data: dict[str, Any]
    """The whole object, as it came."""
    id: str | None = None

    @property
    def is_published(self) -> bool:
        """Whether it is an event, which somebody has published."""
        return "payload" in self.data

    @property
    def ends(self) -> bool:
        """Whether the stream is over with it."""
        if self.type == "stream-error":
            return self.id is not None  # one without is an answer on a WebSocket
        return self.type == "stream-close"

    @property
    def group(self) -> str | None:
        """The group of an event; None for most control frames."""
        return self.data.get("group")

    @property
    def payload(self) -> Any:
        """What was published; None for a control frame."""
        return self.data.get("payload")

    @property
    def sender(self) -> str | None:
        """The tab and the request that caused an event, `tab.request`."""
        return self.data.get("sender")

    def __str__(self) -> str:
        return f"{self.type} {json.dumps(self.data, ensure_ascii=False)}"


class Parser:
    """Turns the bytes of a stream into frames, wherever they are cut."""

    def __init__(self) -> None:
        text = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._decoder = IncrementalNewlineDecoder(text, translate=True)
        self._rest = ""
        self._fields: dict[str, str] = {}

    def feed(self, part: bytes) -> list[ReceivedEvent]:
        """Take a part; return the frames that it completes."""
        *lines, self._rest = (self._rest + self._decoder.decode(part)).split("\n")
        return [frame for line in lines if (frame := self._line(line))]

    def _line(self, line: str) -> ReceivedEvent | None:
        if not line:
            return self._dispatched()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in self._fields:
            value = f"{self._fields['data']}\n{value}"
        self._fields[name] = value
        return None

    def _dispatched(self) -> ReceivedEvent | None:
        fields, self._fields = self._fields, {}
        if not fields.get("data"):
            return None
        id = fields.get("id")
        return ReceivedEvent(
            fields.get("event") or "message",
            json.loads(fields["data"]),
            None if id is None or "\0" in id else id,
        )
