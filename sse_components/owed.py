"""What an outage of the broker has swallowed, and is owed once it is back."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextvars import Context
from itertools import islice
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from sse_components import operations
from sse_components.errors import BrokerUnavailable
from sse_components.events import Draft

MAX_OWED = 10_000
BATCH = 500
"""Of refreshes in one step of the broker, which serves nobody else meanwhile."""
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


def refreshing(
    publish: Callable[[Sequence[Draft]], object],
) -> Callable[[Sequence[str]], object]:
    """Return what publishes a refresh to each of some groups."""
    return lambda groups: publish([operations.data_changed(name) for name in groups])


T = TypeVar("T", bound=Hashable)


class Owed(Generic[T]):
    """Repays what is owed, once the broker is back: `BrokerUnavailable` is not yet.

    It works in any thread of any process: a daemon thread of its own tries every
    second as long as something is owed. What is owed is in memory only, and lost when
    the process ends; so is the oldest of more than 10,000, which is logged.
    """

    def __init__(
        self,
        repay: Callable[[Sequence[T]], object],
        what: str = "refreshes",
        pause: Callable[[Event, float], object] = Event.wait,
        *,
        batch: int = BATCH,
    ) -> None:
        """`batch` is how many are repaid together, and again together if that fails."""
        self._repay = repay
        self._what = what
        self._pause = pause
        self._batch = batch
        self._lock = Lock()
        self._owed: dict[T, None] = {}
        """A set that knows what has waited longest."""
        self._thread: Thread | None = None
        self._closed = Event()
        self._is_dropping = False

    def owe(self, items: Iterable[T]) -> None:
        """Repay soon; what is owed twice is repaid once."""
        with self._lock:
            if self._closed.is_set():
                return
            self._owed |= dict.fromkeys(items)
            self._drop_oldest()
            # A fork takes the memory with it, but not the thread.
            if self._owed and not (self._thread and self._thread.is_alive()):
                # It is nobody's own: no request must stand as the sender.
                work = Context().run
                self._thread = Thread(
                    target=work, args=(self._run,), name=THREAD, daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Let go of what is owed, which is logged; the thread ends soon."""
        with self._lock:
            self._closed.set()
            self._give_up(len(self._owed))
            self._owed.clear()

    def _run(self) -> None:
        while self._is_anything_owed():
            self._pause(self._closed, random.uniform(*PAUSE_SECONDS))
            self._repay_all()

    def _is_anything_owed(self) -> bool:
        with self._lock:
            if not self._owed:
                # In the same step, or what is owed now would be left to this thread.
                self._thread = None
                self._is_dropping = False
            return bool(self._owed)

    def _repay_all(self) -> None:
        while items := self._take():
            try:
                self._repay(items)
            except BrokerUnavailable:
                self._put_back(items)
                return
            logger.info("Made good for %s %s that were owed", len(items), self._what)

    def _take(self) -> list[T]:
        # Before they are repaid: what is owed in the meantime is owed again, since
        # the reason for it may be newer.
        with self._lock:
            items = list(islice(self._owed, self._batch))
            for item in items:
                del self._owed[item]
            return items

    def _put_back(self, items: Sequence[T]) -> None:
        with self._lock:
            if self._closed.is_set():
                self._give_up(len(items))
            else:
                self._owed = dict.fromkeys(items) | self._owed
                self._drop_oldest()

    def _give_up(self, number: int) -> None:
        if number:
            logger.error("Gave up %s %s that were owed", number, self._what)

    def _drop_oldest(self) -> None:
        excess = len(self._owed) - MAX_OWED
        if excess > 0 and not self._is_dropping:
            self._is_dropping = True
            logger.error(
                "More than %s %s are owed: the oldest are given up",
                MAX_OWED,
                self._what,
            )
        for item in list(islice(self._owed, max(excess, 0))):
            del self._owed[item]
