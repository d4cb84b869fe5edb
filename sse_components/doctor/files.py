"""Whether as many files may be open as streams."""

from __future__ import annotations

from collections.abc import Iterator

from sse_components import conf, runtime
from sse_components.doctor.findings import Finding, ok, warning

try:
    import resource
except ImportError:  # where there is no such limit
    resource = None  # type: ignore[assignment]

SUBJECT = "open files"
OTHERS = 200
"""What a process has open beside its streams: modules, the database, Redis."""


def findings() -> Iterator[Finding]:
    """Tell whether MAX_STREAMS can be reached."""
    if resource is None:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    streams = runtime.settings().max_streams
    needed = streams + OTHERS
    if limit == resource.RLIM_INFINITY or limit >= needed:
        yield ok(SUBJECT, f"enough for {streams} streams of a process.")
        return
    yield warning(
        SUBJECT,
        f"a process started from here may have {limit} open, and MAX_STREAMS lets it "
        f"have {streams} streams: near the limit it accepts no connection.",
        f"Raise it where the server is started (`ulimit -n {needed}`, or "
        f"`LimitNOFILE={needed}` for systemd), or lower {conf.NAME}['MAX_STREAMS'].",
    )
