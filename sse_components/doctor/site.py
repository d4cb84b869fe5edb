"""What a visitor's browser would meet at a public address."""

from __future__ import annotations

from collections.abc import Iterator

from sse_components.doctor import reaching, streaming, upgrading
from sse_components.doctor.address import Address
from sse_components.doctor.calling import CallTrial
from sse_components.doctor.findings import Finding, Level
from sse_components.doctor.trial import BrokerTrial, Trial, is_possible
from sse_components.errors import BrokerUnavailable


def findings(address: Address, key: str = "") -> Iterator[Finding]:
    """Tell of the way there, and of what comes back."""
    reached = list(reaching.findings(address))
    yield from reached
    if any(one.level is Level.ERROR for one in reached):
        return
    trial = CallTrial(address, key) if key else _trial()
    yield from streaming.findings(address, trial)
    yield from upgrading.findings(address)


def _trial() -> Trial | None:
    try:
        return BrokerTrial() if is_possible() else None
    except BrokerUnavailable:  # which was told
        return None
