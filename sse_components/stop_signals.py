"""Hears that the server is to stop, which no server tells its application in time."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from uvicorn import Server


class StopSignals:
    """Calls back at SIGTERM and SIGINT, then calls whoever listened before.

    uvicorn waits for open responses before it says `lifespan.shutdown`, so an open
    stream would keep it for ever; its own handlers are there before
    `lifespan.startup`. Where nobody listens, the signal ends the process anyway.
    """

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if not callable(before):
                continue
            try:
                signal.signal(number, self._handle)
            except ValueError:  # not in the main thread, where signals don't arrive
                return
            self._before[number] = before

    def uninstall(self) -> None:
        for number, before in self._before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._callback()
        before = self._before[number]
        server = getattr(before, "__self__", None)
        if number == signal.SIGTERM and isinstance(server, Server):
            # uvicorn raises the signals that it was told of again when it has stopped,
            # and a process that ended in order would end as one that was killed.
            server.should_exit = True
        else:
            before(number, frame)
