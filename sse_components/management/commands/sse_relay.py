"""`manage.py sse_relay`: publishes events to the GRIP proxy that holds the streams."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sse_components import conf, runtime
from sse_components.edge.control import Control
from sse_components.edge.relay import Relay
from sse_components.errors import BrokerRefused, BrokerUnavailable


class Command(BaseCommand):
    help = "Publish events to the GRIP proxy at GRIP_URL, until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        settings = runtime.settings()
        if not settings.grip_url:
            raise CommandError(f"{conf.NAME}['GRIP_URL'] is not set.")
        if settings.broker_url == conf.EMBEDDED:
            raise CommandError(
                "With the embedded broker the process that serves relays by itself."
            )
        try:
            asyncio.run(self._relay(settings.grip_url))
        except BrokerRefused as error:
            raise CommandError(str(error)) from error

    async def _relay(self, url: str) -> None:
        loop, control = asyncio.get_running_loop(), Control(url)
        with suppress(BrokerUnavailable):  # the relay waits for it
            await runtime.broker().check()
        relay = Relay(runtime.broker(), control.publish)
        task = asyncio.create_task(relay.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        telling = asyncio.create_task(self._tell(relay, url))
        try:
            with suppress(asyncio.CancelledError):
                await task
        finally:
            telling.cancel()
            await runtime.stop()
            await asyncio.to_thread(control.close)
        self.stdout.write(f"Published {relay.published} events.")

    async def _tell(self, relay: Relay, url: str) -> None:
        await relay.heard()
        self.stdout.write(f"Relaying to {url}")
        self.stdout.flush()
