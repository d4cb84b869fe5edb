"""Publishing one event, as the operations on groups and on users do."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Status

from sse_components.dispatcher import publish_drafts
from sse_components.events import Draft

from .access import check_publish
from .auth import needs
from .idempotency import idempotency
from .schemas import ERRORS_WITH_BODY, PublishedOut

PUBLISHES: dict[str, Any] = {
    "response": {202: PublishedOut} | ERRORS_WITH_BODY,
    **needs("publish"),
}
"""What such an operation declares."""


async def publish(
    request: HttpRequest, draft: Draft, key: str | None
) -> Status[PublishedOut]:
    """Publish a draft, once for an Idempotency-Key, if the API key may."""
    check_publish(request, draft.group)
    (published,) = await publish_drafts([draft], idempotency(request, key))
    answer = PublishedOut(id=str(published.position), duplicate=published.duplicate)
    return Status(202, answer)
