"""Why somebody did or didn't get an event: what the logbook and history say of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final, Literal

from sse_components import runtime
from sse_components.brokers.base import Broker
from sse_components.console.past import Past, Step, living, pasts, reach, steps
from sse_components.console.times import clock, moment
from sse_components.errors import InvalidCursor
from sse_components.events import Event, Position, check_group, names_over
from sse_components.logbook.statements import Connection
from sse_components.logbook.tail import line_of
from sse_components.subscriber import NEVER
from sse_components.waiting import wait_for
from sse_components.wire import parse_position

Outcome = Literal[
    "delivered",
    "reset",
    "rendered",
    "behind",
    "ended",
    "not_granted",
    "not_subscribed",
    "not_connected",
    "unknown",
]

_BEST: Final[Sequence[Outcome]] = (
    "delivered", "reset", "rendered", "behind", "ended", "not_granted",
    "not_subscribed", "unknown",
)  # fmt: skip
"""Of several connections' outcomes the first is the user's."""

_ABSENCES: Final[Sequence[Outcome]] = ("not_connected", "not_subscribed", "not_granted")
"""Outcomes that are concluded from what the logbook doesn't say."""
NOT_YET: Final = "It isn't known yet: ask again in a moment."

NAMES_AT_ONCE: Final = 200
YOUNG: Final = 3.0
"""Seconds until the logbook certainly says what there is to say."""
APART: Final = 2.0
"""Seconds that clocks may differ by, for what is compared by them."""
SEARCHED: Final = 5000
"""Groups that somebody hears, in which an event is looked for."""

WHY_ENDED: Final[Mapping[str, str]] = {
    "gone": "the client closed it, or the network did",
    "stuck": "it took nothing for half a minute, and was cut",
    "shutdown": "its process was stopped, and it was told to come back",
    "asked": "staff had its client come back",
    "rotated": "it was told to come back, as every connection is from time to time",
    "slow": "it was too slow",
    "busy": "there were too many",
    "unavailable": "the broker was away",
    "regrant": "something that it was granted was revoked, and it was to ask again",
    "revoked": "the user was disconnected",
    "grant_expired": "its grant had expired",
    "forbidden": "it was refused",
    "bad_request": "it asked for something that can't be",
    "too_many_groups": "it asked for too many groups",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an event at one connection."""

    connection: Connection
    outcome: Outcome
    text: str
    at: float | None = None
    """When, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an event for one user."""

    outcome: Outcome
    headline: str
    event: Mapping[str, Any] | None
    """As a line of the tail; None if it isn't kept."""
    verdicts: Sequence[Verdict] = ()
    """Of the connections that could have had it, the newest first."""
    notes: Sequence[str] = ()


def explain(event_id: str, user: str, group: str = "") -> Answer:
    """Return why a user did or didn't get an event.

    The event is looked for in the groups of the user's connections, and in those that
    anybody hears, unless its group is given. Raises `ValueError`, for what can't be an
    id or a group, and `BrokerUnavailable`.
    """
    try:
        position = parse_position(event_id.strip())
    except InvalidCursor:
        raise ValueError("The id of an event is epoch:seq, as in a1b2:17.") from None
    name = check_group(group.strip()) if group.strip() else ""
    return wait_for(_explain, runtime.publisher(), position, user, name)


async def _explain(broker: Broker, position: Position, user: str, group: str) -> Answer:
    present = await broker.position()
    if position.epoch != present.epoch:
        return _unknown(
            "The broker has lost its memory since this event, or it is another "
            "installation's: nothing is known of it. Connections from then were reset."
        )
    if position.seq > present.seq:
        return _unknown("There has been no such event yet.")
    connections = await pasts(broker, user)
    event = await _find(broker, position, _candidates(connections, group))
    if event is None and not group:
        event = await _find(broker, position, await _heard(broker))
    if event is None:
        return _unknown(_not_found(position, group))
    progress = {
        process: await steps(broker, process)
        for process in {one.now.process for one in connections}
    }
    verdicts = [
        verdict
        for one in connections
        if (verdict := judge(one, event, progress[one.now.process]))
    ]
    answer = conclude(user, event, verdicts, connections)
    if answer.outcome in _ABSENCES:
        since = await reach(broker, user)
        if not await _is_told(broker, event):
            return replace(answer, outcome="unknown", headline=NOT_YET)
        if event.position.seq / 1e6 < since:
            headline = f"The logbook of this user reaches back to {clock(since)} only."
            return replace(answer, outcome="unknown", headline=headline)
    return answer


async def _is_told(broker: Broker, event: Event) -> bool:
    """Whether every process has said what there was to say at the time of an event."""
    now = time.time()
    if now - event.position.seq / 1e6 < YOUNG:
        return False
    return not any(one.untold for one in await living(broker))


def judge(past: Past, event: Event, progress: Sequence[Step]) -> Verdict | None:
    """Return what became of an event at a connection, None if that ended before it.

    What the process has said is compared by its own clock, and what was written with
    the event by their seqs: clocks that differ change what is shown, and not more.
    """
    seq, when, now = event.position.seq, event.position.seq / 1e6, past.now
    names = names_over(event.group)
    for frame in past.deliveries:
        if frame.id == str(event.position):
            text = f"It was handed the event at {moment(frame.at)}."
            return Verdict(now, "delivered", text, frame.at)
    if (passed := _passed(past, event.position, progress, names)) is not None:
        text = f"Its cursor passed the event by {clock(passed)}."
        return Verdict(now, "delivered", text, passed)
    if now.closed is not None and now.closed < when:
        return None
    if now.opened < when - APART and past.told[0].when > when + APART:
        text = "The logbook has forgotten what it heard when the event was published."
        return Verdict(now, "unknown", text)
    having = [one for one in past.told if _has(one, names)]
    if not having:
        return _without(past, names)
    begun = [one for one in having if one.since is not None]
    if not begun:
        return _unfinished(past, event, progress, "It had not begun to hear its groups")
    due = [one for one in begun if _since(one, names) < seq]
    if not due:
        return _began_later(past, begun[0], event, progress)
    later = [one for one in past.told if one.when > due[-1].when]
    for one in later:
        if not _has(one, names):
            text = f"It had left {names[0]} by {clock(one.when)}."
            return Verdict(now, "not_subscribed", text, one.when)
        if _since(one, names) >= seq:
            return _reset(past, one, event, progress)
    return _unfinished(past, event, progress, "It hadn't got that far")


def conclude(
    user: str, event: Event, verdicts: Sequence[Verdict], connections: Sequence[Past]
) -> Answer:
    """Return what it comes to for the user."""
    line, notes = line_of(event), list(_notes(event, verdicts, connections))
    if not verdicts:
        headline = _absent(user, event, connections)
        return Answer("not_connected", headline, line, (), notes)
    outcome = min((one.outcome for one in verdicts), key=_BEST.index)
    those = [one for one in verdicts if one.outcome == outcome]
    first = min(those, key=lambda one: one.at or 0)
    if len(verdicts) == 1:
        headline = first.text
    else:
        headline = f"{len(those)} of {len(verdicts)} connections: {first.text}"
    return Answer(outcome, headline, line, verdicts, notes)


def _has(statement: Connection, names: Iterable[str]) -> bool:
    return any(name in statement.groups for name in names)


def _since(statement: Connection, names: Iterable[str]) -> int:
    """Return after which seq a connection has, or is to have, an event's group."""
    if statement.since is None:
        return NEVER
    return min(
        statement.since_of.get(name, statement.since)
        for name in names
        if name in statement.groups
    )


def _passed(
    past: Past, position: Position, progress: Sequence[Step], names: Sequence[str]
) -> float | None:
    """Return by when a connection had been written an event that it was to have."""

    def is_due(statement: Connection) -> bool:
        return _has(statement, names) and _since(statement, names) < position.seq

    now, told = past.now, past.told
    end = inf if now.closed is None else now.closed
    for step in progress:
        is_known = step.is_certain and step.at.epoch == position.epoch
        if not is_known or not told[0].when <= step.when <= end:
            continue
        then = [one for one in told if one.when <= step.when][-1]
        if is_due(then) and step.reached(now.connection) >= position.seq:
            return step.when
    return next(
        (one.when for one in told if is_due(one) and one.handed >= position.seq), None
    )


def _without(past: Past, names: Sequence[str]) -> Verdict:
    now = past.now
    if denied := [name for name in names if name in now.denied]:
        text = f"It asked for {denied[0]}, and wasn't granted it."
        return Verdict(now, "not_granted", text)
    if any(one.more_groups for one in past.told):
        text = "It has more groups than the logbook lists, and this one isn't listed."
        return Verdict(now, "unknown", text)
    said = "wasn't" if now.ended else "isn't"
    return Verdict(now, "not_subscribed", f"It {said} subscribed to {names[0]}.")


def _began_later(
    past: Past, first: Connection, event: Event, progress: Sequence[Step]
) -> Verdict:
    now, opened, seq = past.now, past.now.opened, event.position.seq
    names = names_over(event.group)
    if not _has(past.told[0], names):
        text = f"It was subscribed to {names[0]} later, by {clock(first.when)}."
        return Verdict(now, "not_subscribed", text, first.when)
    # Who was there before has a later beginning only by a reset.
    if (first.since or 0) < seq or opened < seq / 1e6 - APART:
        return _reset(past, first, event, progress)
    text = (
        f"It was opened at {clock(opened)} from a position after the event: what the "
        "page shows was read later, and has it already."
    )
    return Verdict(now, "rendered", text, opened)


def _reset(
    past: Past, statement: Connection, event: Event, progress: Sequence[Step]
) -> Verdict:
    """Return that it was told to fetch everything, if it was told anything since."""
    names, now = names_over(event.group), past.now
    least = _since(statement, names)
    told = [
        step.when
        for step in progress
        if step.when >= statement.when and step.reached(now.connection) >= least
    ]
    if now.closed is not None:
        told = [when for when in told if when <= now.closed]
        told += [now.closed] * (now.handed >= least)
    if not told:
        return _unfinished(
            past, event, progress, "It was to be told to fetch everything, and wasn't"
        )
    text = f"It was told to fetch everything anew, by {clock(told[0])}: stream-reset."
    return Verdict(now, "reset", text, told[0])


def _unfinished(
    past: Past, event: Event, progress: Sequence[Step], what: str
) -> Verdict:
    now, when = past.now, event.position.seq / 1e6
    if now.ended is not None:
        why = WHY_ENDED.get(now.ended, now.ended)
        text = f"{what} when it ended at {clock(now.closed or 0)}: {why}."
        return Verdict(now, "ended", text, now.closed)
    if not past.is_open:
        said = max([now.when, *(step.when for step in progress)])
        text = f"Its process has said nothing since {clock(said)}: it has ended, or "
        if said < when:
            text += "stands still. That was before the event."
            return Verdict(now, "ended", text, said)
        text += "stands still. Whether the event was written before isn't known."
        return Verdict(now, "unknown", text, said)
    if time.time() - max(when, now.opened) < YOUNG:
        return Verdict(now, "unknown", "It isn't known yet: ask again in a moment.")
    if progress and not progress[-1].is_certain:
        text = "Its process has more to say than it could: ask again in a moment."
        return Verdict(now, "unknown", text)
    have = f", and has everything up to {clock(now.handed / 1e6)}" if now.handed else ""
    return Verdict(now, "behind", f"{what} yet{have}. It is slow, or stands still.")


def _absent(user: str, event: Event, connections: Sequence[Past]) -> str:
    when = event.position.seq / 1e6
    before = [one.now for one in connections if one.now.closed is not None]
    if not before:
        return f"User {user} had no connection when it was published, nor since."
    last = max(before, key=lambda one: one.closed or 0)
    why = WHY_ENDED.get(last.ended or "", last.ended)
    return (
        f"User {user} had no connection when it was published, nor since: the last one "
        f"ended at {clock(last.closed or when)}, because {why}."
    )


def _notes(
    event: Event, verdicts: Sequence[Verdict], connections: Sequence[Past]
) -> Iterator[str]:
    if event.sender:
        tab = event.sender.partition(".")[0]
        yield (
            f"It was caused by a call from the tab {tab}: the component that made it "
            "ignores the event."
        )
    if any(one.outcome == "delivered" for one in verdicts):
        yield (
            "Delivered means written to the connection. If that was cut on its way, "
            "the client comes back with an older cursor, as a later connection."
        )
    if runtime.settings().grip_url:
        yield "Streams that a proxy holds aren't in the logbook."
    kept = runtime.settings().history_seconds
    if time.time() - event.position.seq / 1e6 > kept * 0.9:
        yield (
            f"The logbook is kept for {kept:g} seconds, so it may lack connections "
            "that ended soon after the event."
        )


def _not_found(position: Position, group: str) -> str:
    if group:
        return (
            f"History has no such event of {group}. It is kept for "
            f"{runtime.settings().history_seconds:g} seconds."
        )
    return (
        "No group that the user's connections have, or that anybody hears, has such "
        f"an event in its history. It would be from {clock(position.seq / 1e6)}; if "
        "nobody heard its group, name that."
    )


def _unknown(headline: str) -> Answer:
    return Answer("unknown", headline, None)


def _candidates(connections: Sequence[Past], group: str) -> Sequence[str]:
    if group:
        return [group]
    return sorted(
        {
            name
            for one in connections
            for statement in one.told
            for name in (*statement.groups, *statement.denied)
        }
    )


async def _heard(broker: Broker) -> Sequence[str]:
    return [one.name for one in await broker.agroups("", "", SEARCHED)]


async def _find(
    broker: Broker, position: Position, names: Sequence[str]
) -> Event | None:
    before = Position(position.epoch, position.seq - 1)
    for start in range(0, len(names), NAMES_AT_ONCE):
        some = names[start : start + NAMES_AT_ONCE]
        for event in (await broker.resume(before, some, 1)).events:
            if event.position == position:
                return event
    return None
