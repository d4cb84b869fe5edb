"""Whether an answer without a stream comes from Django, which serves none by itself."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPException

from sse_components import bundles, runtime
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, error

SUBJECT = "stream"
CURE = (
    "Serve what sse_components.asgi.get_asgi_application() returns, by an ASGI server: "
    "`uvicorn yoursite.asgi:application`. WSGI servers (gunicorn without uvicorn's "
    "workers, uWSGI, mod_wsgi, Django's own runserver) can't hold streams open: before "
    "one a GRIP proxy has to."
)


def finding(address: Address, status: int, patience: float) -> Finding | None:
    """Return that the site is served without its streams, if that is what it is.

    Django serves the browser client with the other addresses of ours, also by WSGI.
    """
    path = f"{address.path}{runtime.settings().prefix}static/{bundles.ALONE}"
    with closing(address.connection(patience)) as connection:
        try:
            connection.request("GET", path, headers={"User-Agent": "sse_doctor"})
            answer = connection.getresponse()
        except (OSError, HTTPException):
            return None
        if answer.status != 200 or answer.headers.get_content_subtype() != "javascript":
            return None
    server = answer.headers.get("Server", "")
    named = f" (its server says that it is {server[:60]!r})" if server else ""
    text = (
        f"it is answered with {status}, and the browser client is there: the site is "
        f"served by WSGI, or by an ASGI application that isn't ours{named}."
    )
    return error(SUBJECT, text, CURE)
