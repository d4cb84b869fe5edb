"""Events as Redis carries and keeps them: lines, of which the payload is the last."""

from __future__ import annotations

from sse_components.events import Draft, Event, Position


def packed(draft: Draft) -> bytes:
    """Return a draft without its position; none of its parts can hold a line feed."""
    head = f"{draft.group}\n{draft.type}\n{draft.sender or ''}\n"
    return head.encode() + draft.payload


def unpacked(position: Position, text: bytes) -> Event:
    """Return what was packed as an event."""
    group, type, sender, payload = text.split(b"\n", 3)
    return Event(
        position, group.decode(), type.decode(), payload, sender.decode() or None
    )
