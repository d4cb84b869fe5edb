"""The door for publishing from Django code."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, wraps
from traceback import extract_stack
from typing import Any, Final, ParamSpec

from django.conf import settings
from django.db import transaction

from sse_components import operations, runtime
from sse_components.brokers.base import Broker, Idempotency, Published
from sse_components.errors import BrokerUnavailable
from sse_components.events import NOWHERE, Draft
from sse_components.owed import BATCH, groups_of

__all__ = ["ComponentDispatcher", "publish_drafts"]

P = ParamSpec("P")

DROPPED: Final = Published(NOWHERE, duplicate=False)
"""What became of a draft that nobody could hear."""

PLACES_ADVISED: Final = 1000

_is_serving: ContextVar[bool] = ContextVar("is_serving", default=False)

logger = logging.getLogger("sse_components.broker")


async def publish_drafts(
    drafts: Sequence[Draft], idempotency: Idempotency | None = None
) -> list[Published]:
    """Publish several events in order, in one step of the broker.

    Raises `BrokerUnavailable`, in a request too: who asks is to know.
    """
    return await runtime.publisher().apublish(drafts, idempotency)


def publish_or_owe(drafts: Sequence[Draft]) -> None:
    """Publish what has been committed, which a broker that is away can't undo.

    If it is away, that is logged, and the groups whose state the drafts tell of get a
    refresh when it is back. Where nobody can hear them, now or later, they are dropped.
    """
    publisher = _publisher(is_needed=False)
    if publisher is None:
        return
    for start in range(0, len(drafts), BATCH):
        try:
            publisher.publish(drafts[start : start + BATCH])
        except BrokerUnavailable as error:
            left = drafts[start:]  # which would have to wait as long to fail too
            groups = ", ".join(dict.fromkeys(draft.group for draft in left))
            logger.error("A commit was not published to %.200s: %s", groups, error)
            runtime.owe(group for draft in left for group in groups_of(draft))
            return


@contextmanager
def serving() -> Iterator[None]:
    """Have what is published meanwhile be published by a request."""
    reset = _is_serving.set(True)
    try:
        yield
    finally:
        _is_serving.reset(reset)


def _publisher(*, is_needed: bool) -> Broker | None:
    """Return the broker, or None if nobody hears it, which is then logged once."""
    try:
        return runtime.publisher()
    except BrokerUnavailable:
        if is_needed:
            raise
        runtime.log_silence()
        return None


def _awaitable(
    operation: Callable[P, Draft],
) -> Callable[P, Coroutine[Any, Any, Published]]:
    @wraps(operation)
    async def publish(*args: P.args, **kwargs: P.kwargs) -> Published:
        draft = operation(*args, **kwargs)
        publisher = _publisher(is_needed=not _is_serving.get())
        return DROPPED if publisher is None else (await publisher.apublish([draft]))[0]

    return publish


def _plain(operation: Callable[P, Draft]) -> Callable[P, Published]:
    @wraps(operation)
    def publish(*args: P.args, **kwargs: P.kwargs) -> Published:
        draft = operation(*args, **kwargs)
        if settings.DEBUG and _is_serving.get():
            _advise_on_commit()
        publisher = _publisher(is_needed=not _is_serving.get())
        return DROPPED if publisher is None else publisher.publish([draft])[0]

    return publish


def _after_commit(operation: Callable[P, Draft]) -> Callable[P, None]:
    @wraps(operation)
    def publish(*args: P.args, **kwargs: P.kwargs) -> None:
        draft = operation(*args, **kwargs)
        transaction.on_commit(lambda: publish_or_owe([draft]), robust=True)

    return publish


def _advise_on_commit() -> None:
    if transaction.get_connection().in_atomic_block:
        caller = extract_stack(limit=3)[0]
        _log_advice(caller.filename, caller.lineno)


@lru_cache(maxsize=PLACES_ADVISED)
def _log_advice(file: str, line: int | None) -> None:
    """Once for each place, as far as the cache remembers."""
    logger.warning(
        "%s:%s publishes what isn't committed yet and may never be: "
        "use ComponentDispatcher.on_commit",
        file,
        line,
    )


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

    With the embedded broker, a process that doesn't serve the ASGI application reaches
    nobody. There a request, and `on_commit` anywhere, publishes nothing, which is
    logged once, and the position is `0:0`; other code gets `BrokerUnavailable`.
    """

    data_changed = staticmethod(_awaitable(operations.data_changed))
    component_created = staticmethod(_awaitable(operations.component_created))
    component_removed = staticmethod(_awaitable(operations.component_removed))
    notify = staticmethod(_awaitable(operations.notify))
    publish = staticmethod(_awaitable(operations.publish))

    sync = _Plain
    on_commit = _AfterCommit
