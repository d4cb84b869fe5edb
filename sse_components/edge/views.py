"""The doors for the proxy: what it asks for its clients, and what it asks itself."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse

from sse_components import conf, runtime
from sse_components.admission import Ended
from sse_components.edge import answers
from sse_components.edge.answers import Answer
from sse_components.edge.signatures import HEADER, is_from_proxy
from sse_components.edge.tickets import Unreadable
from sse_components.errors import BrokerUnavailable
from sse_components.judges import Reader
from sse_components.requests import Request, Scope
from sse_components.streams import HEADERS, Header, Refused, admit

NOT_SERVED = (
    "This server holds no streams. Serve what "
    "sse_components.asgi.get_asgi_application() returns, or have a GRIP proxy in "
    "front of it that signs its requests with "
    f"{conf.NAME}['GRIP_KEY']."
)


@login_not_required
async def stream(request: HttpRequest, group: str | None = None) -> HttpResponse:
    """Answer a client's request that the proxy passes on.

    Only those get here that the ASGI application doesn't answer itself.
    """
    if not (_is_from_proxy(request) and runtime.has_streams()):
        return HttpResponse(NOT_SERVED, status=501, content_type="text/plain")
    asked = Request(_scope(request))
    try:
        cors = admit(asked)
    except Refused as refused:
        answer = HttpResponse(
            refused.text, status=refused.status, content_type="text/plain"
        )
        return _with(answer, refused.headers)
    try:
        judge = await runtime.judge()
        given = await answers.opened(judge, asked, group)
    except Ended as ended:
        given = Answer(ended.frame.sse, {})
    except BrokerUnavailable:
        given = Answer(Reader.farewell("unavailable").sse, {})
    return _with(_streamed(given), [*HEADERS[1:], *cors])


@login_not_required
async def follow(request: HttpRequest, further: str = "") -> HttpResponse:
    """Answer what the proxy asks for all of its streams that are at the same place."""
    last = request.headers.get("Grip-Last", "")
    if not _is_from_proxy(request):
        return HttpResponse("There is no valid Grip-Sig.", status=403)
    if not (further or last):
        return HttpResponse("There is no Grip-Last.", status=400)
    try:
        judge = await runtime.judge(fresh=False)
        if judge.draining:
            return HttpResponse(status=503)
        asked = answers.went_on if further else answers.followed
        return _streamed(await _answered(asked(judge, further or last)))
    except BrokerUnavailable:  # it asks again a few times
        return HttpResponse(status=503)


async def _answered(answer: Awaitable[Answer]) -> Answer:
    try:
        return await answer
    except Ended as ended:
        return Answer(ended.frame.sse, {})
    except Unreadable:  # it is of another SECRET_KEY: the client comes with its own
        return Answer(Reader.farewell("regrant").sse, {})


def _is_from_proxy(request: HttpRequest) -> bool:
    return is_from_proxy(request.headers.get(HEADER, ""))


def _streamed(answer: Answer) -> HttpResponse:
    kind = HEADERS[0][1].decode()
    return HttpResponse(answer.body, content_type=kind, headers=answer.headers)


def _with(response: HttpResponse, headers: Sequence[Header]) -> HttpResponse:
    for name, value in headers:
        response.headers[name.decode()] = value.decode("latin-1")
    return response


def _scope(request: HttpRequest) -> Scope:
    """Return a request as the ASGI application would have got it."""
    port = str(request.META.get("SERVER_PORT", ""))
    return {
        "type": "http",
        "method": request.method,
        "headers": [
            (name.encode("latin-1"), str(value).encode("latin-1", "replace"))
            for name, value in request.headers.items()
        ],
        "query_string": request.META.get("QUERY_STRING", "").encode("latin-1"),
        "server": (
            request.META.get("SERVER_NAME", ""),
            int(port) if port.isdigit() else None,
        ),
    }
