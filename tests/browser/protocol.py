"""A browser's debugging protocol: commands and events, as JSON over a WebSocket.

Chromium's own (CDP) and WebDriver BiDi are alike so far.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

START_SECONDS = 30
STOP_SECONDS = 10
ANSWER_SECONDS = 30
LISTENING = re.compile(r"listening on (ws://\S+)")

Message = Mapping[str, Any]


class ProtocolError(Exception):
    """The browser has refused a command."""


class Protocol:
    """A connection on which commands are answered and events are heard."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._listeners: defaultdict[str, list[Callable[[Message], None]]]
        self._listeners = defaultdict(list)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        async with connect(url, max_size=None, proxy=None) as socket:
            protocol = cls(socket)
            reading = asyncio.create_task(protocol._read())
            try:
                yield protocol
            finally:
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    async def call(
        self, method: str, params: Message | None = None, **address: str
    ) -> Any:
        """Return a command's result; the address says whom it is for, in CDP."""
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        message = {"id": number, "method": method, "params": params or {}, **address}
        await self._socket.send(json.dumps(message))
        async with asyncio.timeout(ANSWER_SECONDS):
            answered = await answer
        if "result" not in answered:
            raise ProtocolError(f"{method}: {json.dumps(answered)}")
        return answered["result"]

    def hear(self, method: str, listener: Callable[[Message], None]) -> None:
        """Have every event of a kind passed on, as the whole message."""
        self._listeners[method].append(listener)

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                self._receive(json.loads(text))
        finally:
            for answer in self._answers.values():
                answer.cancel()

    def _receive(self, message: Message) -> None:
        if "id" not in message:
            for listener in self._listeners[message["method"]]:
                listener(message)
            return
        answer = self._answers.pop(message["id"])
        if not answer.done():  # nobody waits any more for a late one
            answer.set_result(message)


@contextmanager
def started(command: Sequence[str], profile: Path) -> Iterator[str]:
    """A browser that runs meanwhile; gives the address that it prints for debuggers."""
    log = profile / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,  # so that none of its processes outlives it
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (found := LISTENING.search(log.read_text(errors="replace"))):
            assert process.poll() is None, f"It has exited:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"It is silent:\n{log.read_text()}"
            time.sleep(0.02)
        yield found[1]
        # It has been asked to end.
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_SECONDS)
    finally:
        with suppress(ProcessLookupError):  # all have ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=STOP_SECONDS)
