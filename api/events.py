"""Publishing many events at once."""

from __future__ import annotations

from typing import Any

import pydantic
from django.http import HttpRequest
from ninja import Router, Status
from ninja.errors import ValidationError

from sse_components.dispatcher import publish_drafts
from sse_components.errors import InvalidEvent
from sse_components.events import Draft

from .idempotency import IdempotencyKey, idempotency
from .problems import fault_of, faults_of
from .schemas import (
    MAX_EVENTS,
    BatchIn,
    BatchOut,
    ProblemOut,
    ResultOut,
    event_in,
)

router = Router(tags=["events"])

RESPONSES = {202: BatchOut} | dict.fromkeys((400, 401, 413, 422, 429, 503), ProblemOut)


@router.post("", response=RESPONSES, summary="Publish a batch")
async def publish_events(
    request: HttpRequest, body: BatchIn, key: IdempotencyKey = None
) -> Status[BatchOut]:
    """Publish up to 1,000 events in order, with one result for each.

    An invalid one fails alone. `groups` is short for one event for each group, which
    has a result of its own.
    """
    results: list[ResultOut] = []
    drafts: list[Draft] = []
    for index, given in enumerate(body.events):
        read = _read(index, given)
        if isinstance(read, ResultOut):
            results.append(read)
        else:
            results += [ResultOut(index=index, group=draft.group) for draft in read]
            drafts += read
    if len(results) > MAX_EVENTS:
        message = f"A batch has at most {MAX_EVENTS} events, each group counted."
        raise ValidationError([{"loc": ("body", "body", "events"), "msg": message}])
    published = iter(await publish_drafts(drafts, idempotency(request, key)))
    for result in results:
        if not result.errors:
            one = next(published)
            result.id, result.duplicate = str(one.position), one.duplicate
    return Status(202, BatchOut(results=results))


def _read(index: int, given: Any) -> list[Draft] | ResultOut:
    """Return the drafts of one event, or why there are none."""
    place = f"/events/{index}"
    try:
        event = event_in.validate_python(given)
        return [event.draft(group) for group in event.addresses]
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        faults = faults_of([_located(one) for one in details], place)
    except InvalidEvent as error:
        faults = [fault_of(error, place)]
    return ResultOut(index=index, errors=faults)


def _located(error: Any) -> dict[str, Any]:
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return {**error, "loc": ("type",)}
    # pydantic puts the discriminator's value before the members of the variant.
    return {**error, "loc": error["loc"][1:]}
