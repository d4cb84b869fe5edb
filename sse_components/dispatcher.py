"""The door for publishing from Django code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, ParamSpec

from django.db import transaction

from sse_components import operations, runtime
from sse_components.brokers.base import Idempotency, Published
from sse_components.errors import BrokerUnavailable
from sse_components.events import Draft
from sse_components.owed import groups_of

__all__ = ["ComponentDispatcher", "publish_drafts"]

P = ParamSpec("P")

logger = logging.getLogger("sse_components.broker")


async def publish_drafts(
    drafts: Sequence[Draft], idempotency: Idempotency | None = None
) -> list[Published]:
    """Publish several events in order, in one step of the broker."""
    return await runtime.publisher().apublish(drafts, idempotency)


def publish_or_owe(drafts: Sequence[Draft]) -> None:
    """Publish what has been committed, which a broker that is away can't undo.

    If it is away, that is logged, and the groups whose state the drafts tell of get a
    refresh when it is back.
    """
    try:
        runtime.publisher().publish(drafts)
    except BrokerUnavailable as error:
        groups = ", ".join(dict.fromkeys(draft.group for draft in drafts))
        logger.error("A commit was not published to %.200s: %s", groups, error)
        runtime.owe(group for draft in drafts for group in groups_of(draft))


def _awaitable(
    operation: Callable[P, Draft],
) -> Callable[P, Coroutine[Any, Any, Published]]:
    @wraps(operation)
    async def publish(*args: P.args, **kwargs: P.kwargs) -> Published:
        return (await publish_drafts([operation(*args, **kwargs)]))[0]

    return publish


def _plain(operation: Callable[P, Draft]) -> Callable[P, Published]:
    @wraps(operation)
    def publish(*args: P.args, **kwargs: P.kwargs) -> Published:
        return runtime.publisher().publish([operation(*args, **kwargs)])[0]

    return publish


def _after_commit(operation: Callable[P, Draft]) -> Callable[P, None]:
    @wraps(operation)
    def publish(*args: P.args, **kwargs: P.kwargs) -> None:
        draft = operation(*args, **kwargs)
        transaction.on_commit(lambda: publish_or_owe([draft]), robust=True)

    return publish


class _Plain:
    """The operations for synchronous code."""

    data_changed = staticmethod(_plain(operations.data_changed))
    component_created = staticmethod(_plain(operations.component_created))
    component_removed = staticmethod(_plain(operations.component_removed))
    notify = staticmethod(_plain(operations.notify))
    publish = staticmethod(_plain(operations.publish))


class _AfterCommit:
    """The operations for code in a transaction of the default database.

    An event is sent if and when the transaction commits, at once where there is none.

    Mistakes in the arguments are raised at once. A broker that is away then fails
    nothing: it is logged, and when it is back the components of the group fetch their
    HTML. A notification or an event of one's own is lost, and so is what is still
    owed when the process ends.
    """

    data_changed = staticmethod(_after_commit(operations.data_changed))
    component_created = staticmethod(_after_commit(operations.component_created))
    component_removed = staticmethod(_after_commit(operations.component_removed))
    notify = staticmethod(_after_commit(operations.notify))
    publish = staticmethod(_after_commit(operations.publish))


class ComponentDispatcher:
    """Publishes to every browser subscribed to a group.

    The operations are coroutines, also under `async_to_sync`; `sync` has the same
    ones as plain functions, `on_commit` as functions that publish after commit. The
    first two return what was published: its `position`, whose text is the event's id,
    and whether it is a `duplicate`.
    """

    data_changed = staticmethod(_awaitable(operations.data_changed))
    component_created = staticmethod(_awaitable(operations.component_created))
    component_removed = staticmethod(_awaitable(operations.component_removed))
    notify = staticmethod(_awaitable(operations.notify))
    publish = staticmethod(_awaitable(operations.publish))

    sync = _Plain
    on_commit = _AfterCommit
