"""The Idempotency-Key header: a request that is repeated publishes once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated

from django.http import HttpRequest
from ninja import Header
from pydantic import Field

from sse_components.brokers.base import Idempotency

from .access import caller

NAME = "Idempotency-Key"

IdempotencyKey = Annotated[
    Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x20-\x7e]+$")]
    | None,
    Header(  # last, or Ninja takes the argument for one of the query
        alias=NAME,
        description="Repeating a request with the same key within 5 minutes publishes "
        "nothing and returns the same id.",
    ),
]


def idempotency(
    request: HttpRequest, key: str | None, groups: Sequence[str] = ()
) -> Idempotency | None:
    """Return what makes this request a repetition: its key, API key, path and body.

    And the groups of a batch that it publishes to: what the API key may have changed.
    """
    if key is None:
        return None
    scope = f"{caller(request).name}\0{request.path}\0{key}"
    body = json.dumps([json.loads(request.body), *groups], sort_keys=True)
    return Idempotency(_digest(scope), _digest(body))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
