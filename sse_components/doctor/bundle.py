"""Whether the browser client is there."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured

from sse_components import bundles
from sse_components.doctor.findings import Finding, error, ok

SUBJECT = "browser client"


def findings() -> Iterator[Finding]:
    """Tell whether it was built."""
    try:
        bundles.folder()
    except ImproperlyConfigured as missing:
        fault, _, cure = str(missing).partition(": ")
        yield error(SUBJECT, f"{fault}.", f"In a checkout, {cure}")
    else:
        yield ok(SUBJECT, "it is built.")
