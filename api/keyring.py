"""The API keys as this process knows them, so that no request asks the database."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hmac import compare_digest
from math import inf
from threading import Lock
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, router
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from sse_components import conf, runtime
from sse_components.admission import is_current
from sse_components.errors import KeysUnavailable
from sse_components.events import NOWHERE
from sse_components.revocations import KEYS, Whose

from .access import Holder
from .keys import digest, prefix_of
from .models import ApiKey, Secret

ANNOUNCED_SECONDS: Final = 10
"""How long keys are known where changes are announced: not those made by SQL, and
none while the broker is away."""
UNANNOUNCED_SECONDS: Final = 0.5
"""The same where other processes can't announce anything."""
FAILED_SECONDS: Final = 1
"""How long the database isn't asked again when it has failed."""
USED_SECONDS: Final = 60
"""How exactly it is known when a key was used last."""
READ_SECONDS: Final = 3
"""How long a request waits for keys to be read."""
READINGS: Final = 3
"""How often it reads again what has changed while it was read."""
WRITE_SECONDS: Final = 1
"""How long a request waits for that to be written down."""

_NO_DIGEST: Final = digest("")

logger = logging.getLogger("sse_components.api")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a secret."""

    id: int
    digest: str
    holder: Holder


Entries = Mapping[str, Entry]
"""By prefix."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read, and from before which position and when."""

    entries: Entries
    since: Whose
    moment: float


class Keyring:
    """Finds whose a key is.

    It reads all keys at once, and again when a change is announced, as a revocation of
    `KEYS`: what was read at a position before it is out of date.
    """

    def __init__(
        self,
        read: Callable[[], Entries] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_entries = read or read_entries
        self._clock = clock
        self._known: _Known | None = None
        self._failed = -inf
        self._lock = Lock()
        self._reading: Future[_Known] | None = None
        self._used: dict[int, float] = {}
        """When it was written down last, by secret, that one is used."""

    @sensitive_variables()
    async def find(self, text: str) -> Holder | None:
        """Return whose key it is, if it is anybody's; raises `KeysUnavailable`."""
        prefix = prefix_of(text)
        if prefix is None:
            return None
        given = digest(text)
        while True:
            entry = (await self._entries()).get(prefix)
            # The same is done whether or not there is a key with the prefix.
            is_right = compare_digest(given, entry.digest if entry else _NO_DIGEST)
            now = time.time()
            if entry is None or not is_right or entry.holder.expires <= now:
                return None
            if not await self._note_use(entry.id, now):
                return entry.holder
            # It took a while, in which the key may have been revoked.

    def forget(self) -> None:
        """Have keys be read again, because this process has changed one."""
        self._known = None

    async def _entries(self) -> Entries:
        known = self._known
        if known is not None and self._is_fresh(known):
            return known.entries
        with suppress(TimeoutError):
            async with asyncio.timeout(READ_SECONDS):
                for _ in range(READINGS):
                    # Who gives up leaves it to the others who wait for it.
                    reading = asyncio.wrap_future(self._started())
                    reading.add_done_callback(_seen)
                    known = await asyncio.shield(reading)
                    if _is_current(known):
                        return known.entries
        raise KeysUnavailable("The keys are not read in time.")

    def _started(self) -> Future[_Known]:
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = runtime.pool().submit(self._read)
            return self._reading

    def _read(self) -> _Known:
        known = self._known
        if known is not None and self._is_fresh(known):
            return known
        now = self._clock()
        if now - self._failed < FAILED_SECONDS:
            raise KeysUnavailable("The keys could not be read.")
        since = _position()  # from before they are read
        try:
            known = _Known(self._read_entries(), since, now)
        except (Error, ImproperlyConfigured) as error:
            self._failed = now
            logger.error("API keys can't be read: %s", error)
            raise KeysUnavailable("The keys can't be read.") from error
        self._known = known
        return known

    def _is_fresh(self, known: _Known) -> bool:
        if not _is_current(known):
            return False
        hub = runtime.hub()
        is_told = (
            hub is not None
            and hub.is_recalled
            and runtime.settings().broker_url != conf.EMBEDDED
        )
        most = ANNOUNCED_SECONDS if is_told else UNANNOUNCED_SECONDS
        return self._clock() - known.moment < most

    async def _note_use(self, secret: int, now: float) -> bool:
        """Note it once a minute; whether that was waited for."""
        if now - self._used.get(secret, 0) < USED_SECONDS:
            return False
        self._used[secret] = now
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITE_SECONDS):
                await runtime.pool().run(partial(_write_use, secret, now))
        return True


def _seen(reading: asyncio.Future[_Known]) -> None:
    if not reading.cancelled():
        reading.exception()  # asyncio would log it where nobody waits any more


def _is_current(known: _Known) -> bool:
    """Whether no change has been heard of; where none can be, time has to tell."""
    hub = runtime.hub()
    return hub is None or not hub.is_recalled or is_current(hub, known.since)


def _position() -> Whose:
    hub = runtime.hub()
    return Whose(hub.judged if hub else NOWHERE, others=frozenset({KEYS}))


def read_entries() -> Entries:
    """Return the keys of the table that are valid."""
    # Not of a replica, which may be behind.
    secrets = Secret.objects.using(router.db_for_write(Secret)).select_related("key")
    moment = datetime.now(UTC)
    current = secrets.filter(
        Q(expires_at=None) | Q(expires_at__gt=moment),
        Q(key__expires_at=None) | Q(key__expires_at__gt=moment),
        key__revoked_at=None,
    )
    entries: dict[str, Entry] = {}
    for secret in current:
        if _is_sound(secret.key):
            entries[secret.prefix] = _entry(secret, secret.key)
        else:
            logger.error("The API key %s is refused: save it anew", secret.key_id)
    return entries


def _is_sound(key: ApiKey) -> bool:
    """Whether a key is as the model's checks leave it, past which it can be written."""
    lists = isinstance(key.scopes, list) and isinstance(key.patterns, list)
    return lists and (key.rate is None or 0 <= key.rate < inf)


def _entry(secret: Secret, key: ApiKey) -> Entry:
    ends = [end.timestamp() for end in (secret.expires_at, key.expires_at) if end]
    holder = Holder(
        key.identity,
        tuple(key.patterns),
        frozenset(key.scopes),
        min(ends, default=inf),
        key.rate,
    )
    return Entry(secret.pk, secret.digest, holder)


def _write_use(secret: int, now: float) -> None:
    moment = datetime.fromtimestamp(now, UTC)
    before = moment - timedelta(seconds=USED_SECONDS)
    secrets = Secret.objects.using(router.db_for_write(Secret)).filter(pk=secret)
    try:
        secrets.filter(
            Q(last_used_at=None) | Q(last_used_at__lte=before)  # by no other process
        ).update(last_used_at=moment)
    except Error as error:
        logger.warning("When a key was used can't be written down: %s", error)


keyring: Final = Keyring()
