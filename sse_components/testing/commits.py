"""The commit that a `TestCase` never makes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("sse_components.testing")


class Uncommitted:
    """What this thread has left for after a commit since a moment."""

    def __init__(self) -> None:
        # Of each its savepoints: a set of its own, which stays the same one when the
        # list is made anew because a savepoint is rolled back.
        self._earlier = [
            entry[0]
            for connection in connections.all(initialized_only=True)
            for entry in connection.run_on_commit
        ]

    def commit(self) -> None:
        """Do what would be done if the transactions of a `TestCase` were committed.

        In any other transaction it is still to be seen whether it will be.
        """
        for connection in connections.all(initialized_only=True):
            while _is_a_test_cases(connection) and (waiting := self._take(connection)):
                for function, is_robust in waiting:
                    _call(function, is_robust)

    def _take(self, connection: BaseDatabaseWrapper) -> list[tuple[Any, bool]]:
        """Take what waits, so that nobody else does it too."""
        entries: list[Any] = connection.run_on_commit
        earlier = {id(savepoints) for savepoints in self._earlier}
        waiting = [entry for entry in entries if id(entry[0]) not in earlier]
        entries[:] = [entry for entry in entries if id(entry[0]) in earlier]
        return [(function, is_robust) for _, function, is_robust in waiting]


def _is_a_test_cases(connection: BaseDatabaseWrapper) -> bool:
    blocks: list[Any] = connection.atomic_blocks
    return bool(blocks) and blocks[0]._from_testcase is True


def _call(function: Callable[[], object], is_robust: bool) -> None:
    try:
        function()
    except Exception:
        if not is_robust:
            raise
        logger.exception("What was left for after the commit failed")
