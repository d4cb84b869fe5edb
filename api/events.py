"""Publishing many events at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydantic
from django.http import HttpRequest, HttpResponse
from ninja import Router
from ninja.errors import ValidationError

from sse_components.dispatcher import publish_drafts
from sse_components.errors import InvalidEvent
from sse_components.events import Draft
from sse_components.groups import Integrator

from .access import caller, may_publish
from .auth import needs
from .bodies import MAX_EVENTS, Addressed, BatchIn, event_in
from .idempotency import IdempotencyKey, idempotency
from .problems import fault_of, faults_of, invalid_at
from .schemas import ERRORS_WITH_BODY, BatchOut, FaultOut, ResultOut

router = Router(tags=["events"])


@router.post(
    "",
    response={202: BatchOut} | ERRORS_WITH_BODY,
    summary="Publish a batch",
    **needs("publish"),
)
async def publish_events(
    request: HttpRequest, body: BatchIn, key: IdempotencyKey = None
) -> HttpResponse:
    """Publish up to 1,000 events in order, with one result for each.

    One that is invalid, or that the key may not publish, fails alone. An event goes to
    a `group`, or to a `user`, by the primary key; `groups` and `users` are short for
    one event for each, which has a result of its own.
    """
    if sum(map(_addresses, body.events)) > MAX_EVENTS:  # before the work for each
        raise _too_many()
    results: list[ResultOut] = []
    drafts: list[Draft] = []
    for index, given in enumerate(body.events):
        read = _read(caller(request), index, given)
        if isinstance(read, ResultOut):
            results.append(read)
        else:
            results += [_result(index, draft.group) for draft in read]
            drafts += read
    once = idempotency(request, key, [draft.group for draft in drafts])
    published = iter(await publish_drafts(drafts, once))
    for result in results:
        if not result.errors:
            one = next(published)
            result.id, result.duplicate = str(one.position), one.duplicate
    # Ninja would make dicts of it first, which takes longer than all of this.
    answer = BatchOut(results=results).model_dump_json()
    return HttpResponse(
        answer, status=202, content_type="application/json; charset=utf-8"
    )


def _too_many() -> ValidationError:
    message = f"A batch has at most {MAX_EVENTS} events, each group counted."
    return invalid_at(message, "events")


def _addresses(given: Any) -> int:
    """Return of how many events one is short for, valid or not."""
    if not isinstance(given, dict):
        return 1
    several = given.get("groups"), given.get("users")
    return sum(len(one) for one in several if isinstance(one, list)) or 1


def _read(owner: Integrator, index: int, given: Any) -> list[Draft] | ResultOut:
    """Return the drafts of one event, or why there are none."""
    place = f"/events/{index}"
    try:
        event = event_in.validate_python(given)
        faults = _outside(owner, event, place)
        if not faults:
            return [event.draft(group) for _, group in event.addresses]
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        faults = faults_of([_located(one) for one in details], place)
    except InvalidEvent as error:
        faults = [fault_of(error, place)]
    return _result(index, None, faults)


def _result(
    index: int, group: str | None, errors: Sequence[FaultOut] = ()
) -> ResultOut:
    return ResultOut(
        index=index, group=group, id=None, duplicate=False, errors=list(errors)
    )


def _outside(owner: Integrator, event: Addressed, place: str) -> list[FaultOut]:
    """Return a fault for each group that the key may not publish to."""
    return [
        FaultOut(pointer=f"{place}/{at}", message=f"The key doesn't cover {group}.")
        for at, group in event.addresses
        if not may_publish(owner, group)
    ]


def _located(error: Any) -> dict[str, Any]:
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return {**error, "loc": ("type",)}
    # pydantic puts the discriminator's value before the members of the variant.
    return {**error, "loc": error["loc"][1:]}
