"""Calling coroutines from functions, wherever these were called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from asgiref.sync import async_to_sync
from django.db import connections

R = TypeVar("R")


def wait_for(function: Callable[..., Coroutine[Any, Any, R]], *arguments: object) -> R:
    """Call a coroutine from a function, wherever that was called.

    In a thread that serves a request it runs on the loop that waits for the thread,
    in another one on a loop of its own. On a loop nobody can wait for that loop, so a
    thread is lent to it, and the loop stands still for as long as it takes.
    """
    call = async_to_sync(function)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return call(*arguments)

    def call_and_leave_nothing() -> R:
        try:
            return call(*arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1, thread_name_prefix="sse-waiting") as thread:
        return thread.submit(call_and_leave_nothing).result()
