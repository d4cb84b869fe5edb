"""A Pushpin, a server behind it, and what relays to it: all of it real."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Self

import httpx

from tests.clients import Stream
from tests.pushpin import Pushpin
from tests.redis_servers import RedisServer
from tests.servers import ROOT, START_SECONDS, STOP_SECONDS, Server, wait_until

SETTINGS = "tests.edge.settings"


class WSGIServer(Server):
    """The same project by WSGI."""

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.edge.wsgi", str(self._own_port)],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                process_group=0,
            )

        def answers() -> bool:
            assert self._process
            assert self._process.poll() is None, f"It has exited:\n{self.log}"
            return self._answers()

        wait_until(answers, START_SECONDS)


class World:
    """Parts that can be killed and started again."""

    def __init__(
        self,
        folder: Path,
        kind: type[Server] = Server,
        redis: RedisServer | None = None,
        **environment: str,
    ) -> None:
        for name in ("pushpin", "server"):
            (folder / name).mkdir()
        self.redis = redis
        self.pushpin = Pushpin(folder / "pushpin")
        self.environment = self.pushpin.environment | {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "SSE_BROKER_URL": redis.url if redis else "memory://",
            **environment,
        }
        self.server = kind(folder / "server", environment=self.environment)
        self.relays: list[subprocess.Popen[str]] = []

    @property
    def url(self) -> str:
        """Where clients come to."""
        return self.pushpin.url

    @contextmanager
    def running(self) -> Iterator[Self]:
        try:
            self.server.start()
            if self.redis:
                self.start_relay()
            self.pushpin.start(self.server.port)
            yield self
            self.stop_relays()
            assert self.server.stop() == 0
            assert "Traceback" not in self.server.log, self.server.log
        finally:
            for relay in self.relays:
                relay.kill()
                relay.communicate()
            self.pushpin.close()
            self.server.close()

    def start_relay(self, *command: str) -> None:
        """Return when one relays."""
        relay = self.server.start_managing(*(command or ["sse_relay"]))
        self.relays.append(relay)
        assert relay.stdout
        assert relay.stdout.readline().startswith("Relaying to")

    def kill_relays(self) -> None:
        """End them without a word."""
        for relay in self.relays:
            relay.kill()
            relay.communicate()
        self.relays.clear()

    def stop_relays(self) -> None:
        """End them in order."""
        for relay in self.relays:
            relay.terminate()
            printed, _ = relay.communicate(timeout=STOP_SECONDS)
            assert relay.returncode == 0
            assert printed.startswith("Published "), printed
        self.relays.clear()

    @cached_property
    def visitor(self) -> dict[str, str]:
        """The headers of a user who is logged in."""
        (headers,) = self.server.log_in(1)
        return headers

    async def publish(self, *events: tuple[str, str], size: int = 0) -> list[str]:
        """Publish to groups, by names of events; return the ids."""
        data = {"%": "%I"} | ({"more": "%" * size} if size else {})
        given = [
            {"type": "notify", "group": group, "event_name": name, "data": data}
            for group, name in events
        ]
        async with httpx.AsyncClient(headers=self.server.headers) as client:
            url = f"{self.server.url}/api/v1/events"
            answer = await client.post(url, json={"events": given}, timeout=20)
        assert answer.status_code == 202, answer.text
        ids = [result["id"] for result in answer.json()["results"]]
        assert all(ids), answer.text
        return ids


async def opened(
    url: str, groups: Sequence[str], cursor: str | None = None, **headers: str
) -> Stream:
    """Open a stream of groups."""
    query = "&".join(f"group={group}" for group in groups)
    given = headers | ({"Last-Event-ID": cursor} if cursor else {})
    return await Stream.open(f"{url}/sse/stream?{query}", given)
