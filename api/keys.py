"""What a key looks like, and what is kept of it."""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import Final, NamedTuple

MARK: Final = "sse"
"""What all keys begin with, so that scanners for leaked secrets know them."""

PREFIX_LENGTH: Final = 12
_SECRET_BYTES: Final = 32
_ALPHABET: Final = string.ascii_lowercase + string.digits


class NewKey(NamedTuple):
    """A key that nobody has seen yet."""

    text: str
    """Shown once, and never kept."""
    prefix: str
    """May be seen by anybody; tells the key from others."""
    digest: str


def new_key() -> NewKey:
    """Return a key of 256 random bits, `sse_<prefix>_<secret>`."""
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(PREFIX_LENGTH))
    text = f"{MARK}_{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewKey(text, prefix, digest(text))


def prefix_of(text: str) -> str | None:
    """Return the prefix of what may be a key, None of what can't be one."""
    mark, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    return prefix if mark == MARK and prefix and secret else None


def digest(text: str) -> str:
    """Return the SHA-256 of a key: nobody can guess one, so no slow hash is needed."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
