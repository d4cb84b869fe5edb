"""All that the doctor looks at, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from sse_components import runtime
from sse_components.checks.settings import valid_settings
from sse_components.doctor import (
    application,
    broker,
    bundle,
    checked,
    database,
    files,
    site,
)
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding


def findings(address: Address | None = None, key: str = "") -> Iterator[Finding]:
    """Tell of this installation, and with an address of how it is reached there."""
    yield from checked.findings()
    if valid_settings() is None:  # which the checks have told
        return
    try:
        for part in (application, broker, files, bundle, database):
            yield from part.findings()
        if address:
            yield from site.findings(address, key)
    finally:
        asyncio.run(runtime.stop())
