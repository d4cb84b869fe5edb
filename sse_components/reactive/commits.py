"""Changes that wait for their transaction, and are published as one if it commits."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from weakref import WeakKeyDictionary, WeakSet

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError

from sse_components.dispatcher import publish_or_owe
from sse_components.reactive.changes import Change, drafts_of

logger = logging.getLogger("sse_components.models")


class _Waiting:
    """Some changes, for as long as what would publish them is to be called.

    Django forgets what was to be called after a savepoint that is rolled back, and
    nothing else holds it: so what is left when the commit comes is what was kept.
    """

    __slots__ = ("__weakref__", "changes", "number")

    def __init__(self, number: int, changes: Sequence[Change]) -> None:
        self.number = number
        self.changes = changes


_numbers = itertools.count()
_waiting: WeakKeyDictionary[BaseDatabaseWrapper, WeakSet[_Waiting]] = (
    WeakKeyDictionary()
)


def publish_after_commit(changes: Sequence[Change], using: str) -> None:
    """Publish changes when the transaction of a database commits, if it does.

    What waits for the same commit is published in one step, with one event for a row.
    """
    connection = connections[using]
    mine = _Waiting(next(_numbers), changes)
    all_waiting = _waiting.setdefault(connection, WeakSet())
    all_waiting.add(mine)

    def publish() -> None:
        _publish_from(mine, all_waiting)

    try:
        transaction.on_commit(publish, using, robust=True)
    except TransactionManagementError:
        logger.error(
            "A change is not published: Django says nothing of commits while "
            "autocommit is off. Use transaction.atomic()."
        )


def _publish_from(first: _Waiting, all_waiting: WeakSet[_Waiting]) -> None:
    # In the order of the changes; the first one brings all those after it. What came
    # before it isn't to be published, or a test looks at a part of its transaction.
    kept = [waiting for waiting in all_waiting if waiting.number >= first.number]
    kept.sort(key=lambda waiting: waiting.number)
    changes = [change for waiting in kept for change in waiting.changes]
    all_waiting.difference_update(kept)
    drafts = drafts_of(changes)
    publish_or_owe(drafts)
