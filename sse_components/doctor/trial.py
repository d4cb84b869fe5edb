"""An event of the doctor's own, for a group that nobody else has."""

from __future__ import annotations

import asyncio
import secrets

from sse_components import conf, operations, runtime
from sse_components.revocations import Whose

GRANT_SECONDS = 60
TYPE = "notify"


class Trial:
    """Publishes to a group, and has a grant for it; raises `BrokerUnavailable`."""

    def __init__(self) -> None:
        self._group = f"doctor.{secrets.token_hex(8)}"
        whose = Whose(asyncio.run(runtime.broker().position()))
        self.grant, _ = runtime.grants().issue(
            [self._group], whose, seconds=GRANT_SECONDS, bearer=True
        )

    def publish(self) -> None:
        """Publish as all Django code does."""
        draft = operations.notify(self._group, "sse:doctor")
        runtime.publisher().publish([draft])


def is_possible() -> bool:
    """Whether what is published here reaches the processes that serve."""
    return runtime.settings().broker_url != conf.EMBEDDED
