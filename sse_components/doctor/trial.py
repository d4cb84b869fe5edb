"""An event of the doctor's own, for a group that nobody else has."""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

from sse_components import conf, operations, runtime
from sse_components.revocations import Whose

GRANT_SECONDS = 60
TYPE = "notify"
NAME = "sse:doctor"
"""Of the event in the browser, if anybody heard it there."""


class Unpublished(Exception):
    """An event can't be published; the text says why."""

    def __init__(self, text: str, cure: str) -> None:
        super().__init__(text)
        self.cure = cure


class Trial(Protocol):
    """An event that can be published, and what its stream is opened with."""

    grant: str
    key: str
    group: str
    """Of which the stream asks by name; "" where the grant has it."""

    def publish(self) -> None:
        """Publish it; raises `Unpublished` or `BrokerUnavailable`."""


class BrokerTrial:
    """Over the broker, as Django code does; raises `BrokerUnavailable`."""

    key = ""
    group = ""

    def __init__(self) -> None:
        self._group = new_group()
        whose = Whose(asyncio.run(runtime.broker().position()))
        self.grant, _ = runtime.grants().issue(
            [self._group], whose, seconds=GRANT_SECONDS, bearer=True
        )

    def publish(self) -> None:
        draft = operations.notify(self._group, NAME)
        runtime.publisher().publish([draft])


def is_possible() -> bool:
    """Whether what is published here reaches the processes that serve."""
    return runtime.settings().broker_url != conf.EMBEDDED


def new_group() -> str:
    """Return the name of a group that nobody hears."""
    return f"doctor.{secrets.token_hex(8)}"
