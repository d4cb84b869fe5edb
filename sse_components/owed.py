"""What an outage of the broker has swallowed: the refreshes that groups are owed."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from itertools import islice
from threading import Event, Lock, Thread

from sse_components import operations
from sse_components.errors import BrokerUnavailable
from sse_components.events import Draft

MAX_GROUPS = 10_000
BATCH = 500
"""Refreshes in one step of the broker, which serves nobody else in the meantime."""
PAUSE_SECONDS = (0.5, 1.0)
THREAD = "sse-owed"

STATE = {"component.data_changed", "component.created", "component.removed"}
"""The types of events that a refresh makes good."""

logger = logging.getLogger("sse_components.broker")


def groups_of(draft: Draft) -> list[str]:
    """Return the groups that are owed a refresh if a draft was not published.

    None for what tells of no state: nobody could fetch a notification.
    """
    if draft.type not in STATE:
        return []
    target = json.loads(draft.payload).get("target_group")
    return [draft.group, target] if target else [draft.group]


class Owed:
    """Publishes a refresh to each group that is owed one, once the broker is back.

    It works in any thread of any process: a daemon thread of its own tries every
    second as long as something is owed. What is owed is in memory only, and lost when
    the process ends; so is the oldest of more than 10,000 groups, which is logged.
    """

    def __init__(
        self,
        publish: Callable[[Sequence[Draft]], object],
        pause: Callable[[Event, float], object] = Event.wait,
    ) -> None:
        self._publish = publish
        self._pause = pause
        self._lock = Lock()
        self._groups: dict[str, None] = {}
        """A set that knows who has waited longest."""
        self._thread: Thread | None = None
        self._closed = Event()
        self._is_dropping = False

    def owe(self, groups: Iterable[str]) -> None:
        """Publish a refresh to groups soon; one is enough for all that was missed."""
        with self._lock:
            if self._closed.is_set():
                return
            self._groups |= dict.fromkeys(groups)
            self._drop_oldest()
            # A fork takes the memory with it, but not the thread.
            if self._groups and not (self._thread and self._thread.is_alive()):
                # A refresh is nobody's own: no request must stand as its sender.
                work = Context().run
                self._thread = Thread(
                    target=work, args=(self._run,), name=THREAD, daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Let go of what is owed; the thread ends soon."""
        with self._lock:
            self._closed.set()
            self._groups.clear()

    def _run(self) -> None:
        while self._is_anything_owed():
            self._pause(self._closed, random.uniform(*PAUSE_SECONDS))
            self._repay()

    def _is_anything_owed(self) -> bool:
        with self._lock:
            if not self._groups:
                # In the same step, or a group owed now would be left to this thread.
                self._thread = None
                self._is_dropping = False
            return bool(self._groups)

    def _repay(self) -> None:
        while groups := self._take():
            try:
                self._publish([operations.data_changed(group) for group in groups])
            except BrokerUnavailable:
                self._put_back(groups)
                return
            logger.info("Published the refreshes owed to %s groups", len(groups))

    def _take(self) -> list[str]:
        # Before they are published: what is owed in the meantime is owed again, since
        # the refresh may be older than the reason for it.
        with self._lock:
            groups = list(islice(self._groups, BATCH))
            for group in groups:
                del self._groups[group]
            return groups

    def _put_back(self, groups: Iterable[str]) -> None:
        with self._lock:
            if not self._closed.is_set():
                self._groups = dict.fromkeys(groups) | self._groups
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        excess = len(self._groups) - MAX_GROUPS
        if excess > 0 and not self._is_dropping:
            self._is_dropping = True
            logger.error(
                "More than %s groups are owed a refresh: the oldest won't get theirs",
                MAX_GROUPS,
            )
        for group in list(islice(self._groups, max(excess, 0))):
            del self._groups[group]
