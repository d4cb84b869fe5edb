"""The composition root: settings become the process's broker, hub and policy."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from threading import RLock
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.urls import get_script_prefix

from sse_components import conf
from sse_components.brokers.base import Broker, Transition
from sse_components.brokers.memory import MemoryBroker
from sse_components.brokers.redis import RedisBroker
from sse_components.errors import BrokerUnavailable
from sse_components.grants import Grants
from sse_components.groups import Policy, covers, is_reserved
from sse_components.hub import Hub
from sse_components.judges import Judge, Reader
from sse_components.logbook.keeper import Keeper
from sse_components.meters import Requests
from sse_components.owed import Owed, refreshing
from sse_components.places import Places
from sse_components.pool import Pool
from sse_components.signals import presence_changed, send_presence_changed
from sse_components.telling import Telling


@dataclass
class _Runtime:
    """What there is one of in a process."""

    settings: conf.Settings
    hub: Hub | None = None
    keeper: Keeper | None = None
    starting: asyncio.Task[Hub] | None = None
    loop: asyncio.AbstractEventLoop | None = None
    """Where the hub lives."""
    reader: tuple[Reader, float] | None = None
    """What was read last of revocations in a process without a hub, and when."""
    is_known_to_be_silent: bool = False
    """Whether it has been logged that nobody hears this process."""

    @cached_property
    def broker(self) -> Broker:
        limits: dict[str, Any] = {
            "history_size": self.settings.history_size,
            "history_seconds": self.settings.history_seconds,
            "group_memory_seconds": self.settings.group_memory_seconds,
            "presence_lease_seconds": self.settings.presence_lease_seconds,
            "presence_grace_seconds": self.settings.presence_grace_seconds,
        }
        if self.settings.broker_url == conf.EMBEDDED:
            return MemoryBroker(**limits)
        return RedisBroker(
            self.settings.broker_url, key_prefix=self.settings.key_prefix, **limits
        )

    @cached_property
    def owed(self) -> Owed[str]:
        return Owed(refreshing(self.broker.publish))

    @cached_property
    def owed_revocations(self) -> Owed[tuple[tuple[str, str, float], ...]]:
        def revoke(owed: Sequence[tuple[tuple[str, str, float], ...]]) -> None:
            for several in owed:
                for subject, pattern, seconds in several:
                    self.broker.revoke(subject, pattern, seconds)

        return Owed(revoke, "revocations", batch=1)  # what is done isn't done again

    @cached_property
    def places(self) -> Places:
        return Places(self.settings.max_streams, self.settings.max_streams_per_user)

    @cached_property
    def grants(self) -> Grants:
        return Grants(self.settings.grant_seconds)

    @cached_property
    def pool(self) -> Pool:
        return Pool()

    @cached_property
    def policy(self) -> Policy:
        return Policy(self.settings, self.pool.run)

    @cached_property
    def telling(self) -> Telling[Transition]:
        return Telling(send_presence_changed)

    def tell(self, transitions: Sequence[Transition]) -> None:
        """Send the signal of who came and went, where receivers may block."""
        if transitions and presence_changed.has_listeners():
            self.telling.put(transitions)


SILENT = (
    "This process serves no streams, and the embedded broker "
    f"({conf.NAME}['BROKER_URL'] = 'memory://') doesn't reach another one."
)

REREAD_SECONDS = 0.5
"""How old what was read of revocations may be: a proxy asks for many at once."""

WATCHED = 4096
"""Names of which it is remembered whether their members are to be known."""

logger = logging.getLogger("sse_components.broker")

_current: _Runtime | None = None
_stand_in: Broker | None = None
_requests = Requests()
_lock = RLock()


def settings() -> conf.Settings:
    """Return the settings in force; raises `ImproperlyConfigured`."""
    return _runtime().settings


def prefix() -> str:
    """Return what addresses of ours begin with, below where the application is."""
    return get_script_prefix().rstrip("/") + settings().prefix


def broker() -> Broker:
    """Return this process's broker."""
    with _lock:
        return _runtime().broker


def publisher() -> Broker:
    """Return the broker to publish to, if anybody can hear it.

    Raises `BrokerUnavailable` with the embedded broker in a process that serves no
    streams: its events would reach nobody.
    """
    stand_in = _stand_in
    if stand_in is not None:
        return stand_in
    if not has_streams():
        raise BrokerUnavailable(SILENT)
    return broker()


@contextmanager
def publishing_to(broker: Broker) -> Iterator[None]:
    """Have all that this process publishes go to another broker, for tests.

    In every thread, and without a hub too.
    """
    global _stand_in
    before, _stand_in = _stand_in, broker
    try:
        yield
    finally:
        _stand_in = before


def has_streams() -> bool:
    """Whether streams hear this process: its own, or another one's over Redis."""
    runtime = _runtime()
    return runtime.hub is not None or runtime.settings.broker_url != conf.EMBEDDED


def log_silence() -> None:
    """Warn, once, that nobody hears this process."""
    with _lock:
        runtime = _runtime()
        is_known, runtime.is_known_to_be_silent = runtime.is_known_to_be_silent, True
    if not is_known:
        logger.warning("Pages stay as they are, and events are lost: %s", SILENT)


def owe(groups: Iterable[str]) -> None:
    """Publish a refresh to groups once the broker is back.

    The embedded one never is away: where nobody hears it, waiting changes nothing.
    """
    with _lock:
        runtime = _runtime()
        if runtime.settings.broker_url != conf.EMBEDDED:
            runtime.owed.owe(groups)


def owe_revocations(*several: tuple[str, str, float]) -> None:
    """Revoke what subjects were granted once the broker is back, in this order."""
    with _lock:
        runtime = _runtime()
        if runtime.settings.broker_url != conf.EMBEDDED:
            runtime.owed_revocations.owe([several])


def policy() -> Policy:
    """Return who may subscribe to what."""
    with _lock:
        return _runtime().policy


def places() -> Places:
    """Return what limits this process's streams."""
    with _lock:
        return _runtime().places


def requests() -> Requests:
    """Return what counts the requests to the API, whatever the settings are."""
    return _requests


def grants() -> Grants:
    """Return what issues and reads grants."""
    with _lock:
        return _runtime().grants


async def judge(*, fresh: bool = True) -> Judge:
    """Return who knows what was revoked: the hub, or else what is read now.

    Or was read a moment ago, if that will do: what was granted later than that would be
    taken for revoked. Raises `BrokerUnavailable`.
    """
    runtime = _runtime()
    if runtime.hub is not None:
        return runtime.hub
    read, moment = runtime.reader or (None, 0.0)
    now = time.monotonic()
    if fresh or read is None or now - moment > REREAD_SECONDS:
        read = await Reader.read(broker(), is_reserved)
        runtime.reader = read, now
    return read


def hub() -> Hub | None:
    """Return this process's hub, if it serves streams."""
    # Of each request: settings at fault are for the system check to tell.
    runtime = _current
    return runtime.hub if runtime else None


def pool() -> Pool:
    """Return the threads for database work."""
    with _lock:
        return _runtime().pool


async def start() -> Hub:
    """Have this process serve streams, on the running loop.

    Raises `RuntimeError` if it does so on another loop that is still open.
    """
    runtime = _runtime()
    loop = asyncio.get_running_loop()
    if runtime.loop is not loop:
        if runtime.loop is not None and not runtime.loop.is_closed():
            raise RuntimeError("This process serves its streams on another loop.")
        runtime.loop, runtime.hub, runtime.starting = loop, None, None
    if runtime.hub is not None:
        return runtime.hub
    if (
        runtime.starting is None
    ):  # the first requests may come at once, without lifespan
        runtime.starting = asyncio.create_task(_start(runtime))
    starting = runtime.starting
    try:
        return await asyncio.shield(starting)
    except BaseException:
        if starting.done() and runtime.starting is starting:
            runtime.starting = None
        raise


async def _start(runtime: _Runtime) -> Hub:
    try:
        await broker().check()
    except BrokerUnavailable as error:
        logger.warning("Streams are refused until the broker is there: %s", error)
    settings = runtime.settings
    hub = Hub(
        broker(),
        keep_alive=settings.keep_alive_seconds,
        rotate=settings.rotate_seconds,
        lease=settings.presence_lease_seconds,
        is_reserved=is_reserved,
        is_watched=lru_cache(WATCHED)(partial(covers, settings.presence_groups)),
        told=runtime.tell,
    )
    await hub.start()
    if settings.console:
        runtime.keeper = Keeper(hub, broker(), settings.history_seconds)
        runtime.keeper.start()
    runtime.hub = hub
    return hub


async def stop() -> None:
    """Let go of everything; the next use begins anew."""
    runtime = _forget()
    if runtime is None:
        return
    if runtime.starting:
        await asyncio.wait([runtime.starting])
    if runtime.hub:
        await runtime.hub.close()
    if runtime.keeper:
        await runtime.keeper.close()
    if "broker" in vars(runtime):
        await runtime.broker.close()
    if "pool" in vars(runtime):
        runtime.pool.close()


def reset() -> None:
    """Forget everything, for tests that change settings while no hub runs."""
    _forget()


def _forget() -> _Runtime | None:
    global _current
    with _lock:
        runtime, _current = _current, None
    for name in ("owed", "owed_revocations", "telling"):
        if runtime and name in vars(runtime):
            getattr(runtime, name).close()
    return runtime


def _runtime() -> _Runtime:
    global _current
    with _lock:
        if _current is None:
            given = getattr(django_settings, conf.NAME, {})
            _current = _Runtime(conf.load(given))
        return _current


def _on_setting_changed(*, setting: str, **kwargs: Any) -> None:
    if setting == conf.NAME:
        reset()


setting_changed.connect(_on_setting_changed)
