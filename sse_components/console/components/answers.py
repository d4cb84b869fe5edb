"""Why somebody did or did not get an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sse_components.console import who
from sse_components.console.components.staff import ForStaff
from sse_components.console.past import Past, connections_of
from sse_components.console.times import moment
from sse_components.console.why import WHY_ENDED, Verdict, explain

LISTED: Final = 6
"""Groups of a connection that are shown without being asked for."""

LABELS: Final[Mapping[str, str]] = {
    "delivered": "delivered",
    "rendered": "had it already",
    "not_subscribed": "not subscribed",
    "not_granted": "not granted",
    "reset": "was reset",
    "ended": "ended before",
    "behind": "behind",
    "not_connected": "not connected",
    "unknown": "unknown",
}
"""What outcomes are called."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with what it needs to be understood."""

    verdict: Verdict
    label: str
    moments: Sequence[tuple[str, str]]
    """When and what, in order."""
    groups: Sequence[str]
    """At the time of the event."""
    more: Sequence[str]


class Why(ForStaff):
    template_name = "sse_components/console/why_view.html"
    fault = ""

    def read(self, event: str, user: str, group: str) -> None:
        self.event, self.user, self.group = event, user, group
        self.fault, self.answer = "", None
        if not (event and user):
            return
        try:
            self.pk = who.primary_key(user)
            self.answer = explain(event, self.pk, group)
        except ValueError as error:
            self.fault = str(error)
            return
        self.name = who.names_of([self.pk]).get(self.pk)
        self.label = LABELS.get(self.answer.outcome, self.answer.outcome)
        self.at = moment(self.answer.event["ts"]) if self.answer.event else ""
        if self.answer.event and self.answer.verdicts:
            pasts = {one.now.connection: one for one in connections_of(self.pk)}
            self.judged = [
                _judged(one, pasts.get(one.connection.connection), self.answer.event)
                for one in self.answer.verdicts
            ]


def _judged(verdict: Verdict, past: Past | None, event: Mapping[str, Any]) -> Judged:
    now = verdict.connection
    moments = [(now.opened, "opened"), (event["ts"], "the event was published")]
    if verdict.at is not None and verdict.at not in (now.opened, now.closed):
        moments.append((verdict.at, LABELS.get(verdict.outcome, verdict.outcome)))
    if now.closed is not None:
        moments.append((now.closed, f"ended: {WHY_ENDED.get(now.ended or '')}"))
    told = past.told if past else ()
    before = [one for one in told if one.when <= event["ts"]]
    then = before[-1] if before else told[0] if told else now
    return Judged(
        verdict,
        LABELS.get(verdict.outcome, verdict.outcome),
        [(moment(at), what) for at, what in sorted(moments)],
        then.groups[:LISTED],
        then.groups[LISTED:],
    )
