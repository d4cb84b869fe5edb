"""The project, in whose process users come and go all the time.

    uvicorn tests.bench.churning:application

`GET /bench/churn` ends that, and answers when the last one's grace is over: how many
came and went, and how many of these transitions were found.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from project.asgi import application as project
from sse_components import runtime  # needs the settings of the above
from sse_components.brokers.base import Transition

ADDRESS: Final = "/bench/churn"
PER_SECOND: Final = 1000
"""Users who come, and as many who go."""
STAY: Final = 1000
"""So many are there at a time."""
STEP_SECONDS: Final = 0.02
PATIENCE_SECONDS: Final = 20


class _Churn:
    def __init__(self) -> None:
        self.came = 0
        self.found: Counter[str] = Counter()
        self._there: deque[str] = deque()
        self._task: asyncio.Task[None] | None = None
        self._all_gone = asyncio.Event()

    async def begin(self) -> None:
        if self._task is None:
            hub = await runtime.start()
            self._node = hub._node
            self._node._told = self._count
            self._task = asyncio.create_task(self._run())

    async def end(self) -> dict[str, int]:
        assert self._task
        self._all_gone.clear()
        self._task.cancel()
        await asyncio.sleep(1)  # until all who are there have been told of
        while self._there:
            self._go()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._all_gone.wait()
        await asyncio.sleep(0.5)  # for those too many
        online, offline = (self.found[f"presence.{it}"] for it in ("online", "offline"))
        return {"came": self.came, "online": online, "offline": offline}

    def _count(self, transitions: Sequence[Transition]) -> None:
        self.found.update(transition.type for transition in transitions)
        if self.found["presence.offline"] >= self.came:
            self._all_gone.set()

    async def _run(self) -> None:
        begun = time.monotonic()
        while True:
            due = int((time.monotonic() - begun) * PER_SECOND) - self.came
            for _ in range(due):
                self.came += 1
                self._there.append(f"churn-{self.came}")
                self._node.add(self._there[-1], [], comes=True)
                if len(self._there) > STAY:
                    self._go()
            await asyncio.sleep(STEP_SECONDS)

    def _go(self) -> None:
        self._node.remove(self._there.popleft(), [], goes=True)


_churn = _Churn()


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        await project(scope, receive, send)
    elif scope["path"] == ADDRESS:
        body = json.dumps(await _churn.end()).encode()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    else:
        await _churn.begin()
        await project(scope, receive, send)
