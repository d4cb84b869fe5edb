"""Whether a site's clock is right, by the Date of its answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse

from sse_components.doctor.findings import Finding, ok, warning

SUBJECT = "clock of the site"
OFF_SECONDS = 5
"""It has whole seconds, and an answer takes its time."""


def findings(answer: HTTPResponse) -> Iterator[Finding]:
    """Compare it with this machine's; tell nothing where there is none to compare."""
    if "Age" in answer.headers:  # its Date is when it was kept (RFC 9111 4.2.3)
        return
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except ValueError:
        return
    ahead = theirs - time.time()
    if abs(ahead) <= OFF_SECONDS:
        yield ok(SUBJECT, "it is that of this machine.")
        return
    yield warning(
        SUBJECT,
        f"it is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this "
        "machine's: grants and sessions end too early, or too late.",
        "Have both keep time by NTP.",
    )
