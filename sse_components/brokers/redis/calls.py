"""Calls of scripts: from any thread, and in pipelines from the loop of the hub."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, NoScriptError, RedisError
from redis.retry import Retry

from sse_components.brokers.redis.scripts import Script
from sse_components.errors import BrokerUnavailable
from sse_components.meters import RoundTrips

CONNECT_SECONDS = 2
ANSWER_SECONDS = 3
PATIENCE_SECONDS = 4
"""What a call may take with the batch before it."""
CLOSE_SECONDS = 0.5
"""What a batch that is under way may still take when all is to be let go."""
MAX_CONNECTIONS = 8
"""Of all threads of a process together."""
MAX_WAITING = 10_000
"""Calls that wait for the one batch that is under way."""

logger = logging.getLogger("sse_components.broker")

Argument = str | bytes | int
Call = tuple[Script, Sequence[Argument]]

R = TypeVar("R")

LOST = (RedisError, OSError, RuntimeError)
"""How a lost connection shows; uvloop raises the last at a closed transport."""

OPTIONS: dict[str, Any] = {
    "protocol": 2,
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_timeout": ANSWER_SECONDS,
    "socket_keepalive": True,
}


@dataclass(frozen=True)
class Question(Generic[R]):
    """A call that can be made in a thread or on a loop, and what its answer means."""

    script: Script
    arguments: Sequence[Argument]
    read: Callable[[Any], R]


def no_retry() -> Retry:
    """Nothing is repeated behind our back: a publish might be stored twice."""
    return Retry(NoBackoff(), 0)


def database(url: str) -> int:
    """Return which one a URL names, in its path or its query."""
    pool = redis.ConnectionPool.from_url(url)
    return int(pool.connection_kwargs.get("db") or 0)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what goes wrong with Redis as `BrokerUnavailable`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise BrokerUnavailable(f"Redis: {error}") from error


class BlockingCalls:
    """Calls from any thread, each on a connection of a bounded pool."""

    def __init__(self, url: str, key: str, round_trips: RoundTrips) -> None:
        self._round_trips = round_trips
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=ANSWER_SECONDS,
            retry=no_retry(),
            **OPTIONS,
        )
        self._client = redis.Redis(connection_pool=pool)
        self._key = key
        self._closed = False

    def __call__(self, script: Script, arguments: Sequence[Argument]) -> Any:
        with self._round_trips.taken([script.name]), self._connected():
            try:
                return self._client.evalsha(script.digest, 1, self._key, *arguments)
            except NoScriptError:
                return self._client.eval(script.source, 1, self._key, *arguments)

    def info(self) -> dict[str, Any]:
        """Return what the server says of itself, which may be nothing."""
        with self._connected():
            try:
                return self._client.info()
            except NoPermissionError:
                return {}

    def close(self) -> None:
        """Let go; of what a thread is asking for still, as soon as it is answered."""
        self._closed = True
        self._client.connection_pool.disconnect()

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            with translated():
                yield
        finally:
            if self._closed:
                self._client.connection_pool.disconnect()


class PipelinedCalls:
    """Calls from one loop, those of one turn together.

    One batch is under way at a time, so calls are made in order and what comes in the
    meantime is the next batch: the more there is to do, the less each call costs.
    """

    def __init__(self, url: str, key: str, round_trips: RoundTrips) -> None:
        self._round_trips = round_trips
        self._client = redis.asyncio.Redis.from_url(
            url,
            retry=no_retry(),
            max_connections=2,
            **OPTIONS,
        )
        self._key = key
        self._waiting: list[tuple[Call, asyncio.Future[Any]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def __call__(self, script: Script, arguments: Sequence[Argument]) -> Any:
        if len(self._waiting) >= MAX_WAITING:
            raise BrokerUnavailable("Redis is behind with what it was asked.")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append(((script, arguments), answer))
        if self._sending is None:
            self._sending = loop.create_task(self._send())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await answer
        except TimeoutError:
            raise BrokerUnavailable("Redis does not answer.") from None

    async def close(self) -> None:
        """Let go, and of what is asked too, after a moment for what is under way.

        redis-py leaves a coroutine behind that was never begun if it is cancelled while
        it connects.
        """
        if self._sending:
            await asyncio.wait([self._sending], timeout=CLOSE_SECONDS)
        if self._sending:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        self._reject(self._waiting)  # by a task that was never begun
        await self._client.aclose()

    async def _send(self) -> None:
        batch: list[tuple[Call, asyncio.Future[Any]]] = []
        try:
            while self._waiting:
                # Who has given up by now isn't asked for.
                batch = [call for call in self._waiting if not call[1].done()]
                self._waiting = []
                answers = await self._answers([call for call, _ in batch])
                for (_, future), answer in zip(batch, answers, strict=True):
                    _settle(future, answer)
        finally:
            self._sending = None
            self._reject(batch + self._waiting)
            self._waiting = []

    def _reject(self, calls: Sequence[tuple[Call, asyncio.Future[Any]]]) -> None:
        for _, future in calls:
            _settle(future, ConnectionError("The connection was closed."))

    async def _answers(self, calls: Sequence[Call]) -> list[Any]:
        try:
            answers = await self._execute(calls)
            unknown = [n for n, a in enumerate(answers) if isinstance(a, NoScriptError)]
            if unknown:
                again = [calls[n] for n in unknown]
                for source in {script.source for script, _ in again}:
                    await self._client.script_load(source)
                for n, answer in zip(unknown, await self._execute(again), strict=True):
                    answers[n] = answer
        except Exception as error:
            if not isinstance(error, LOST):
                logger.exception("A batch for Redis failed")
            return [error] * len(calls)
        return answers

    async def _execute(self, calls: Sequence[Call]) -> list[Any]:
        with self._round_trips.taken([script.name for script, _ in calls]):
            async with self._client.pipeline(transaction=False) as pipeline:
                for script, arguments in calls:
                    pipeline.evalsha(script.digest, 1, self._key, *arguments)
                return await pipeline.execute(raise_on_error=False)


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():  # nobody waits any more
        return
    if isinstance(answer, Exception):
        future.set_exception(BrokerUnavailable(f"Redis: {answer}"))
    else:
        future.set_result(answer)
