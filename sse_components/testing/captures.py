"""What is published while a block runs."""

from __future__ import annotations

import asyncio
import json
from bisect import insort
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from threading import Lock
from types import TracebackType

from asgiref.sync import AsyncToSync, sync_to_async

from sse_components import runtime
from sse_components.brokers.base import Broker, Idempotency, Published
from sse_components.brokers.memory import MemoryBroker
from sse_components.events import Draft, Position
from sse_components.testing.commits import Uncommitted
from sse_components.testing.published import Events, PublishedEvent


def capture_events() -> Capture:
    """Capture what this process publishes in a block, from any thread.

    It needs no broker and no server. Where streams are served, they hear it as well,
    and so does a capture around this one. In a `TestCase`, which never commits, what
    the block has left for after the commit is done at its end.

    In async tests use it with `async with`.
    """
    return Capture()


class Capture:
    """What `capture_events` returns; its block is given the `Events`."""

    def __enter__(self) -> Events:
        if _is_lent_a_thread():
            raise RuntimeError(
                "In async tests of Django's test cases use `async with "
                "capture_events()`: their transaction is another thread's."
            )
        self._block = _captured()
        return self._block.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._block.__exit__(kind, error, trace)

    async def __aenter__(self) -> Events:
        self._async_block = _acaptured()
        return await self._async_block.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._async_block.__aexit__(kind, error, trace)


class _Recorder(MemoryBroker):
    """Notes what is published, and passes it on to who would have heard it."""

    def __init__(self, around: _Recorder | None) -> None:
        super().__init__()
        self.events = Events()
        self._around = around
        self._noting = Lock()

    def publish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        if beyond := self._beyond():
            published = beyond.publish(drafts, idempotency)
        else:
            published = super().publish(drafts, idempotency)
        self._note(drafts, published)
        return published

    async def apublish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        beyond = self._beyond()
        if beyond is None:
            return self.publish(drafts, idempotency)
        published = await beyond.apublish(drafts, idempotency)
        self._note(drafts, published)
        return published

    def _beyond(self) -> Broker | None:
        if self._around:
            return self._around
        return runtime.broker() if runtime.hub() else None

    def _note(self, drafts: Sequence[Draft], published: Sequence[Published]) -> None:
        with self._noting:
            for draft, one in zip(drafts, published, strict=True):
                if not one.duplicate:
                    # Another thread may have noted what was published later.
                    event = _event(draft, one.position)
                    insort(self.events, event, key=lambda event: event.position.seq)


_recorders: list[_Recorder] = []
"""Those that record now, the innermost last."""


@contextmanager
def _recording() -> Iterator[Events]:
    recorder = _Recorder(_recorders[-1] if _recorders else None)
    _recorders.append(recorder)
    try:
        with runtime.publishing_to(recorder):
            yield recorder.events
    finally:
        _recorders.remove(recorder)


@contextmanager
def _captured() -> Iterator[Events]:
    uncommitted = Uncommitted()
    with _recording() as events:
        yield events
        uncommitted.commit()


@asynccontextmanager
async def _acaptured() -> AsyncIterator[Events]:
    uncommitted = await sync_to_async(Uncommitted)()
    with _recording() as events:
        yield events
        await sync_to_async(uncommitted.commit)()


def _is_lent_a_thread() -> bool:
    """Whether a thread with a transaction of its own waits for the running loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False
    return loop in AsyncToSync.loop_thread_executors


def _event(draft: Draft, position: Position) -> PublishedEvent:
    payload = json.loads(draft.payload)
    return PublishedEvent(draft.group, draft.type, payload, draft.sender, position)
