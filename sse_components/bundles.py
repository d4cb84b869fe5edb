"""The browser client's files: where they are, and their names with a hash."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.http import Http404, HttpRequest, HttpResponse

from sse_components import runtime

_HERE = Path(__file__).parent
FOLDERS = [_HERE / "static" / "sse_components", _HERE.parent / "static" / "dist"]
"""In an installed package; in a checkout."""

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".map": "application/json",
    ".ts": "text/plain; charset=utf-8",
}
ALONE = "sse-client.js"
"""The transport client, which the code of others imports by this name."""
FOREVER = "public, max-age=31536000, immutable"
BRIEFLY = "public, max-age=300"


@cache
def folder() -> Path:
    """Return where the built files are; raises `ImproperlyConfigured`."""
    for found in FOLDERS:
        if (found / "manifest.json").is_file():
            return found
    raise ImproperlyConfigured(
        "The browser client has not been built: run `make install`, or in static/ "
        "`npm ci --ignore-scripts && npm run build`."
    )


@cache
def file_name(name: str) -> str:
    """Return the name of a bundle as it is served, with its hash."""
    manifest: dict[str, str] = json.loads((folder() / "manifest.json").read_text())
    return manifest[name]


def address(name: str) -> str:
    """Return where a bundle is served, for a page that is being rendered."""
    return f"{runtime.prefix()}static/{file_name(name)}"


@login_not_required
def serve(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with a file, where the ASGI application doesn't."""
    found = content(name)
    if found is None:
        raise Http404
    kind, body = found
    headers = {"Cache-Control": cache_control(name)}
    return HttpResponse(body, content_type=kind, headers=headers)


def content(name: str) -> tuple[str, bytes] | None:
    """Return the content type and the bytes of a built file, if there is such a one."""
    return _contents().get(name)


def cache_control(name: str) -> str:
    """Return how long a file may be cached: for ever if its name has a hash."""
    return BRIEFLY if name == ALONE or name.endswith(".ts") else FOREVER


@cache
def _contents() -> dict[str, tuple[str, bytes]]:
    # All at once, so that names that clients think of are nowhere kept nor looked up.
    contents = {
        path.name: (TYPES[path.suffix], path.read_bytes())
        for path in folder().iterdir()
        if path.suffix in TYPES
    }
    return contents | {ALONE: contents[file_name(ALONE)]}
