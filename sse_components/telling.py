"""Tells what has happened, in order, in a thread that may use the database."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from threading import Condition, Thread
from typing import Generic, TypeVar

from django.db import connections

MAX_WAITING = 10_000
BATCH = 500
"""Told with the same connections to databases."""
THREAD = "sse-telling"

logger = logging.getLogger("sse_components.presence")

T = TypeVar("T")


class Telling(Generic[T]):
    """Has a function told what was put, in that order; nobody waits for it.

    Of what comes when 10,000 wait already nothing is told, which is logged once until
    there is room again.
    """

    def __init__(self, tell: Callable[[Sequence[T]], object]) -> None:
        self._tell = tell
        self._changed = Condition()
        self._waiting: deque[T] = deque()
        self._thread: Thread | None = None
        self._closed = False
        self._is_dropping = False

    def put(self, items: Sequence[T]) -> None:
        """Have something told after all that was put before; from any thread."""
        with self._changed:
            if self._closed:
                return
            room = MAX_WAITING - len(self._waiting)
            self._waiting.extend(items[:room])
            if len(items) > room and not self._is_dropping:
                self._is_dropping = True
                logger.error(
                    "More than %s wait to be told: what comes now is dropped",
                    MAX_WAITING,
                )
            self._begin()
            self._changed.notify()

    def close(self) -> None:
        """Tell nothing more of what waits; the thread ends soon."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()

    def _begin(self) -> None:
        # A fork takes the memory with it, but not the thread.
        if not (self._thread and self._thread.is_alive()):
            # It is nobody's own: no request must stand as the sender.
            work = Context().run
            self._thread = Thread(
                target=work, args=(self._run,), name=THREAD, daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        while items := self._take():
            try:
                self._tell(items)
            except Exception:
                logger.exception("Telling failed, and goes on")
            finally:
                connections.close_all()  # of this thread, whatever CONN_MAX_AGE says

    def _take(self) -> list[T]:
        """Return what is told next, once there is anything; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._is_dropping = False
            count = min(BATCH, len(self._waiting))
            return [self._waiting.popleft() for _ in range(count)]
