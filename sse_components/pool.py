"""Database work off the loop, on few threads that keep no connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import connections

THREADS = 4

P = ParamSpec("P")
R = TypeVar("R")


class Pool:
    """Bounds what opening streams can ask of the database at once."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sse-database")

    async def run(
        self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a function that may use the database."""

        call = partial(function, *args, **kwargs)
        return await asyncio.wrap_future(self.submit(call))

    def submit(self, function: Callable[[], R]) -> Future[R]:
        """Have a function called for several who wait, of any loop."""

        def call() -> R:
            try:
                return function()
            finally:
                connections.close_all()  # of this thread, whatever CONN_MAX_AGE says

        return self._threads.submit(call)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
