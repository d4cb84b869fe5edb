"""Signals for Django code, each sent in one process of all."""

from __future__ import annotations

from collections.abc import Sequence

from django.dispatch import Signal

from sse_components.brokers.base import Transition
from sse_components.events import time_of

presence_changed = Signal()
"""A user has come or gone. Sent once in the cluster, by the process that found out: in
a thread that may use the database, one after the other, in the order in which the
process has heard of them. What a process has found when it ends, or when the broker's
answer is lost, is lost to the signal, though not to the event; so is what comes when
10,000 wait for a slow receiver.

Arguments: `type` ("presence.online", "presence.offline", "presence.join" or
"presence.leave"), `group`, `user` (the primary key as text), `last_seen` (a datetime,
of who is offline now, or None) and `id`, of the event that says the same.
"""


def send_presence_changed(transitions: Sequence[Transition]) -> None:
    """Send the signal of each; a receiver that fails is logged and passed over."""
    for transition in transitions:
        seen = transition.last_seen
        presence_changed.send_robust(
            sender=None,
            type=transition.type,
            group=transition.group,
            user=transition.user,
            last_seen=seen and time_of(seen),
            id=str(transition.position),
        )
