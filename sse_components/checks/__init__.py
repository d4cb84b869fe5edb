"""System checks: what would fail in front of a visitor is told before."""

from __future__ import annotations

from sse_components.checks import (  # noqa: F401  # registers them
    components,
    eventstream,
    members,
    runserver,
    serving,
    settings,
    site,
)
