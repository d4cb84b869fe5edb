"""What the proxy is answered: a stream's beginning, and how it goes on."""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf

from sse_components import runtime, wire
from sse_components.admission import RETRY, Denied, Ended, Opening, decide
from sse_components.brokers.base import Broker
from sse_components.edge import holds as grip
from sse_components.edge import missed, tickets
from sse_components.edge.missed import Missed, Places
from sse_components.edge.tickets import Further, Ticket
from sse_components.events import Position, is_pattern, pattern_over
from sse_components.hub import REVOKED
from sse_components.judges import Judge
from sse_components.requests import Request
from sse_components.revocations import may_end_for_good
from sse_components.wire import Vector

FIRST_BYTES = 60_000
"""Of a first answer: Pushpin takes no more than 100,000 of one that has it hold."""

SOON_SECONDS = 2
"""After which the proxy asks the first time."""

logger = logging.getLogger("sse_components.edge")


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes for the client, and headers for the proxy; without any the stream ends."""

    body: bytes
    headers: Mapping[str, str]


async def opened(judge: Judge, request: Request, group: str | None) -> Answer:
    """Decide on a stream as on any other, and have the proxy hold it.

    Raises `Ended` and `BrokerUnavailable`.
    """
    opening = await decide(judge, None, request, group)
    names = missed.heard(opening.allowed)
    if len(names) > grip.MAX_NAMES:
        text = (
            f"Behind a GRIP proxy a stream carries at most {grip.MAX_NAMES} groups "
            "and patterns; groups that a pattern covers don't count."
        )
        raise Denied("too_many_groups", text)
    broker = runtime.broker()
    present = await _noted(broker, names)
    at = missed.starts(request.cursor, names, present)
    had = missed.had_elsewhere(request.cursor, names)
    found = await missed.read(broker, at, _places(), had)
    connection = secrets.token_urlsafe(9)
    head = _greeting(opening, connection, at, had) + _reset(found, had)
    events = _events(found, had)
    if len(head) + len(events) > FIRST_BYTES:
        found = replace(found, events=[], reached=found.begun, more=True)
        events = b""
    logger.info("Had %s held with %s groups", connection, len(names))
    further = Further(found.reached, _ticket_of(opening, names), True, had)
    return _answer(head + events, further, holds=not found.more)


async def followed(judge: Judge, header: str) -> Answer:
    """Go on with a stream whose last ids the proxy says.

    Raises `Ended`, `Unreadable` and `BrokerUnavailable`.
    """
    at, ticket = {}, ""
    for channel, id in grip.last_ids(header).items():
        if channel.startswith(tickets.CHANNEL):
            ticket = channel
        else:
            name, position = tickets.place(channel, id)
            at[name] = position
    at = dict(sorted(at.items()))  # as it was opened: the ids are to stay the same
    return await _followed(judge, Further(at, ticket))


async def went_on(judge: Judge, text: str) -> Answer:
    """Go on where the answer before this one has stopped; raises as `followed` does."""
    return await _followed(judge, tickets.read_further(text))


async def _followed(judge: Judge, further: Further) -> Answer:
    names = list(further.places)
    await judge.recalled()
    _check(judge, further.ticket, names)
    broker = runtime.broker()
    await _noted(broker, names)
    found = await missed.read(broker, further.places, _places(), further.had)
    further = replace(further, places=found.reached)
    body = _reset(found, further.had) + _events(found, further.had)
    return _answer(body, further, holds=not found.more)


async def _noted(broker: Broker, names: Sequence[str]) -> Position:
    """Have publishers feed the patterns, as nobody here subscribes to them."""
    return await broker.note([name for name in names if is_pattern(name)])


def _check(judge: Judge, channel: str, names: Sequence[str]) -> None:
    """Look whether a stream may go on; raises `Ended` and `Unreadable`."""
    if not names:
        raise tickets.Unreadable
    if not channel:
        # Nobody's: it was let in because all may hear it.
        if not all(map(runtime.policy().is_public, names)):
            raise Ended(judge.farewell("regrant"))
        return
    ticket = tickets.read(channel)
    whose = ticket.whose
    if ticket.is_over:
        raise Ended(judge.farewell("rotated"))
    if whose.position.epoch != judge.position.epoch:  # nobody knows what was revoked
        raise Ended(judge.farewell("regrant"))
    if judge.revocations.cover(may_end_for_good(whose)):
        raise Ended(wire.stream_error("revoked", REVOKED))
    if judge.revocations.cover(whose) or judge.revocations.among(whose, names):
        raise Ended(judge.farewell("regrant"))


def _ticket_of(opening: Opening, names: Sequence[str]) -> str:
    """Return the channel of a stream that is somebody's, "" if it is anybody's."""
    is_public = all(map(runtime.policy().is_public, names))
    if not opening.whose.subjects and opening.lasts == inf and is_public:
        return ""
    rotate = runtime.settings().rotate_seconds * random.uniform(0.75, 1.25)
    until = time.time() + min(opening.lasts, rotate)
    return Ticket(opening.whose, int(until)).channel


def _answer(body: bytes, further: Further, *, holds: bool) -> Answer:
    """Have a stream held where it is, or else go on from there at once."""
    settings = runtime.settings()
    link, seconds = f"{runtime.prefix()}grip", settings.grip_seconds
    if not holds:
        link = f"{link}/{further.text}"
    elif further.is_opening:
        body += wire.keep_alive(grip.vector(further.places)).sse
        # What is published before the proxy has this answer may be past it already.
        seconds = min(seconds, SOON_SECONDS)
    said = grip.headers(
        further.places,
        further.ticket,
        link,
        holds=holds,
        seconds=seconds,
        keep_alive=settings.keep_alive_seconds,
    )
    return Answer(body, said)


def _greeting(
    opening: Opening, connection: str, at: Mapping[str, Position], had: Vector | None
) -> bytes:
    is_readable = all(position.epoch for position in at.values())
    frame = wire.stream_open(
        grip.vector(at, had) if is_readable else None,
        connection=connection,
        groups=opening.allowed,
        denied=opening.denied,
        keep_alive=runtime.settings().keep_alive_seconds,
        retry=RETRY,
        expires=opening.expires and int(opening.expires - time.time()),
    )
    return wire.retry(RETRY) + grip.doubled(frame.sse)


def _reset(found: Missed, had: Vector | None) -> bytes:
    """Say what can't be given; a pattern stands for the groups below it here too."""
    if not found.lost:
        return b""
    logger.info("Reset %s groups", len(found.lost))
    return wire.stream_reset(grip.vector(found.begun, had), found.lost).sse


def _events(found: Missed, had: Vector | None) -> bytes:
    """Write events, each with how far the stream has got with it."""
    places, written = dict(found.begun), []
    for event in found.events:
        for name in (event.group, pattern_over(event.group)):
            if name in places:
                places[name] = event.position
        written.append(grip.event(event, str(grip.vector(places, had)).encode()))
    return b"".join(written)


def _places() -> Places:
    settings = runtime.settings()
    return _kept(settings.grip_seconds, settings.group_memory_seconds)


@cache
def _kept(seconds: float, memory: float) -> Places:
    return Places(seconds, memory)
