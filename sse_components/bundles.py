"""The browser client's files: where they are, and their names with a hash."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_HERE = Path(__file__).parent
FOLDERS = [_HERE / "static" / "sse_components", _HERE.parent / "static" / "dist"]
"""In an installed package; in a checkout."""

TYPES = {".js": b"text/javascript; charset=utf-8", ".map": b"application/json"}


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


def content(name: str) -> tuple[bytes, bytes] | None:
    """Return the content type and the bytes of a built file, if there is such a one."""
    return _contents().get(name)


@cache
def _contents() -> dict[str, tuple[bytes, bytes]]:
    # All at once, so that names that clients think of are nowhere kept nor looked up.
    return {
        path.name: (TYPES[path.suffix], path.read_bytes())
        for path in folder().iterdir()
        if path.suffix in TYPES
    }
