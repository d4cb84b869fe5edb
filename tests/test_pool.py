from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from sse_components.pool import THREADS, Pool

SECONDS = 10


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.close()


@pytest.fixture
def scratch(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A database in a file: Django keeps one in memory open whatever it is told."""
    connections.databases["scratch"] = {
        **connections.databases["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "scratch.sqlite3"),
    }
    with django_db_blocker.unblock():
        yield "scratch"
    del connections.databases["scratch"]


async def test_what_is_run_gets_its_arguments_and_returns(pool: Pool) -> None:
    assert await pool.run(divmod, 7, 2) == (3, 1)
    assert await pool.run(sorted, [2, 1], reverse=True) == [2, 1]


async def test_what_is_raised_reaches_the_caller(pool: Pool) -> None:
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 1, 0)
    assert await pool.run(divmod, 7, 2) == (3, 1)


async def test_the_loop_goes_on_while_something_blocks(pool: Pool) -> None:
    release = threading.Event()
    blocked = asyncio.create_task(pool.run(release.wait, SECONDS))
    assert await pool.run(divmod, 7, 2) == (3, 1)
    assert not blocked.done()
    release.set()
    assert await blocked


async def test_no_more_runs_at_once_than_there_are_threads(pool: Pool) -> None:
    started = threading.Semaphore(0)
    release = threading.Event()
    running: set[threading.Thread] = set()

    def block() -> None:
        running.add(threading.current_thread())
        started.release()
        assert release.wait(SECONDS)

    tasks = [asyncio.create_task(pool.run(block)) for _ in range(5 * THREADS)]
    for _ in range(THREADS):
        assert await asyncio.to_thread(started.acquire, timeout=SECONDS)
    assert len(running) == THREADS
    release.set()
    await asyncio.gather(*tasks)
    assert len(running) == THREADS
    assert threading.current_thread() not in running


@pytest.mark.parametrize("fails", [False, True])
async def test_a_thread_keeps_no_connection(
    pool: Pool, scratch: str, fails: bool
) -> None:
    connections.databases[scratch]["CONN_MAX_AGE"] = 3600  # which is for requests
    used = []

    def use() -> None:
        connection = connections[scratch]
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert connection.connection is not None
        used.append(connection)
        if fails:
            raise LookupError

    with pytest.raises(LookupError) if fails else nullcontext():
        await pool.run(use)
    (connection,) = used
    assert connection.connection is None


async def test_close_lets_the_threads_end_and_drops_what_waits() -> None:
    pool = Pool()
    started = threading.Semaphore(0)
    release = threading.Event()
    threads: list[threading.Thread] = []

    def block() -> None:
        threads.append(threading.current_thread())
        started.release()
        assert release.wait(SECONDS)

    tasks = [asyncio.create_task(pool.run(block)) for _ in range(THREADS + 1)]
    for _ in range(THREADS):
        assert await asyncio.to_thread(started.acquire, timeout=SECONDS)
    pool.close()
    release.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, BaseException) for result in results] == (
        [False] * THREADS + [True]
    )
    for thread in threads:
        await asyncio.to_thread(thread.join, SECONDS)
        assert not thread.is_alive()
