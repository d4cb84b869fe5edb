"""Whether a stream comes through a public address as it was sent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from typing import Any

from sse_components.doctor import calling, django_alone, timing
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, error, ok, warning
from sse_components.doctor.stream import Heard, Stream
from sse_components.doctor.trial import TYPE, Trial, Unpublished, is_possible
from sse_components.errors import BrokerUnavailable

SUBJECT = "stream"
BUFFERING = "buffering"
EVENT = "event"

PATIENCE_SECONDS = 5
"""For what should be there at once, and the keep-alive, which is due after 1 or 2."""
KEEP_ALIVES = 2
"""One belongs to the beginning; the next is there for buffers that took that."""
SLOW_SECONDS = 1
"""After which an event is late."""

UNBUFFERED = (
    "Have the proxy pass on what it gets at once (nginx: `proxy_buffering off;` and no "
    "`proxy_ignore_headers X-Accel-Buffering;`), and compress no text/event-stream."
)
AS_SENT = frozenset({"no-cache", "no-transform"})
"""The directives of Cache-Control that a stream is sent with."""
UNCACHED = (
    "Have whatever is on the way keep nothing of text/event-stream, and leave its "
    "Cache-Control alone."
)

UNTRIED = "not tried, for want of a broker that the site has too."
UNTRIED_EMBEDDED = (
    "not tried: with the embedded broker only the site's own process can publish. Run "
    "this with --key, and one is published over the REST API."
)

STATUSES = {
    400: "Add the host to ALLOWED_HOSTS, or have the proxy pass it on as it came "
    "(nginx: `proxy_set_header Host $http_host;`).",
    404: "Serve what sse_components.asgi.get_asgi_application() returns, by an ASGI "
    "server; give the address at which the application begins.",
    502: "Start the application, or correct where the proxy looks for it.",
    504: UNBUFFERED,
}
ELSE = "Something on the way answers for the application, or it fails: see their logs."

REASONS = {
    "busy": "Raise SSE_COMPONENTS['MAX_STREAMS'], or start more workers.",
    "shutdown": "The process is being stopped: try again.",
    "unavailable": "Its broker is away: the site's log says why.",
}


class _GrantRefused(Exception):
    """The site knows neither our secret nor our broker."""


def findings(
    address: Address, trial: Trial | None, patience: float = PATIENCE_SECONDS
) -> Iterator[Finding]:
    """Tell what becomes of a stream, and of an event if there is one to try."""
    try:
        with closing(_stream(address, trial, patience)) as stream:
            yield from _watched(address, stream, trial, patience)
    except _GrantRefused:
        yield error(
            SUBJECT,
            "the site takes no grant that was issued here.",
            "Run this with the settings of the site: SECRET_KEY, and BROKER_URL and "
            "KEY_PREFIX in SSE_COMPONENTS.",
        )
        yield from findings(address, None, patience)
    except (EOFError, OSError, HTTPException) as fault:
        yield error(
            SUBJECT,
            f"it was cut: {str(fault) or type(fault).__name__}.",
            "Something on the way, or the application, ends it: see their logs.",
        )


def _stream(address: Address, trial: Trial | None, patience: float) -> Stream:
    if trial is None:
        return Stream(address, patience)
    given = {"grant": trial.grant, "group": trial.group, "key": trial.key}
    return Stream(address, patience, **given)


def _watched(
    address: Address, stream: Stream, trial: Trial | None, patience: float
) -> Iterator[Finding]:
    start = time.monotonic()
    try:
        answer = stream.open()
    except TimeoutError:
        text = f"nothing came within {patience:g} s, not even a status."
        yield error(BUFFERING, text, UNBUFFERED)
        return
    if fault := _refused(answer):
        alone = django_alone.finding(address, answer.status, patience)
        yield (answer.status in (200, 404, 501) and alone) or fault
        return
    try:
        first = stream.next(patience)
    except TimeoutError:
        yield from _on_the_way(answer)
        text = f"the head came, and no frame within {patience:g} s after it."
        yield error(BUFFERING, text, UNBUFFERED)
        return
    if fault := _ended(first, trial):
        yield fault
        return
    came = _since(start)
    yield from _on_the_way(answer)
    yield ok(SUBJECT, f"its first frame came after {came}.")
    if is_held := "-" in str(first.data.get("id")):
        yield ok("proxy", "a GRIP proxy holds the stream.")
    start = time.monotonic()
    try:
        # The next one of a proxy comes after KEEP_ALIVE_SECONDS.
        for _ in range(1 if is_held else KEEP_ALIVES):
            stream.until("keep-alive", patience)
    except TimeoutError:
        text = f"a frame came, and no other within {patience:g} s after it."
        yield error(BUFFERING, text, UNBUFFERED)
        return
    yield ok(BUFFERING, f"none; a keep-alive came {_since(start)} after that.")
    yield from _event(stream, trial, patience)


def _event(stream: Stream, trial: Trial | None, patience: float) -> Iterator[Finding]:
    if trial is None:
        yield ok(EVENT, UNTRIED if is_possible() else UNTRIED_EMBEDDED)
        return
    start = time.monotonic()
    try:
        trial.publish()
        stream.until(TYPE, patience)
    except BrokerUnavailable as fault:
        yield error(EVENT, f"it can't be published: {fault}", REASONS["unavailable"])
    except Unpublished as fault:
        yield error(EVENT, str(fault), fault.cure)
    except TimeoutError:
        text = f"it was published, and did not come within {patience:g} s."
        yield error(EVENT, text, UNBUFFERED)
    else:
        took = time.monotonic() - start
        if took > SLOW_SECONDS:
            text = f"it came late, {took:.1f} s after it was published."
            yield warning(EVENT, text, UNBUFFERED)
        else:
            yield ok(EVENT, f"it came {took:.2f} s after it was published.")


def _refused(answer: HTTPResponse) -> Finding | None:
    """Return what is wrong with an answer that is no stream."""
    status = answer.status
    if 300 <= status < 400:
        # A grant may stand in the query.
        target = answer.headers.get("Location", "elsewhere").partition("?")[0]
        return error(
            SUBJECT, f"{status}, to {target}.", "Give the address it leads to."
        )
    if status != 200:
        return error(
            SUBJECT, f"it is answered with {status}.", STATUSES.get(status, ELSE)
        )
    kind = answer.headers.get_content_type()
    if kind != "text/event-stream":
        return error(SUBJECT, f"it is answered with {kind}.", ELSE)
    return None


def _on_the_way(answer: HTTPResponse) -> Iterator[Finding]:
    """Tell of headers that are others than those that were sent, and of the Date."""
    yield from timing.findings(answer)
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding == "identity":
        yield ok("compression", "none.")
    else:
        yield warning(
            "compression",
            f"{encoding}, by something on the way, which may hold frames back.",
            "Leave text/event-stream out of what the proxy compresses (nginx: "
            "`gzip_types`).",
        )
    given = answer.headers.get("Cache-Control", "")
    directives = {one.strip().lower() for one in given.split(",")}
    if "Age" in answer.headers:  # RFC 9111 5.1
        yield warning("caching", "it came out of a cache on the way.", UNCACHED)
    elif not directives >= AS_SENT:
        text = f"Cache-Control is {given!r}, which is not how it was sent."
        yield warning("caching", text, UNCACHED)
    else:
        yield ok("caching", "none.")


def _ended(first: Heard, trial: Trial | None) -> Finding | None:
    """Return why a stream has ended with its first frame; raises `_GrantRefused`."""
    said: dict[str, Any] = first.data
    match first.type:
        case "stream-open":
            return None
        case "stream-error" if said.get("condition") == "grant_expired":
            raise _GrantRefused
        case "stream-error" if trial and trial.key:
            text = f"the site refuses it with this key: {said.get('text')}"
            return error(SUBJECT, text, calling.RIGHTS)
        case "stream-error":
            return error(SUBJECT, f"the site refuses it: {said.get('text')}", ELSE)
        case "stream-close":
            reason = str(said.get("reason"))
            cure = REASONS.get(reason, ELSE)
            return error(SUBJECT, f"the site ends it at once: {reason}.", cure)
    return error(SUBJECT, f"it begins with {first.type!r}, which is not ours.", ELSE)


def _since(start: float) -> str:
    return f"{time.monotonic() - start:.2f} s"
