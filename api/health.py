"""Whether this process lives, and whether it can take requests."""

from __future__ import annotations

import asyncio

from django.http import HttpRequest, HttpResponse
from ninja import Router

from sse_components import runtime
from sse_components.errors import BrokerUnavailable

from . import problems
from .schemas import HealthOut, ProblemOut

BROKER_SECONDS = 2
"""How long the broker may take to answer; a probe gives up soon after."""

# Who asks is a supervisor or a load balancer: it has no key, and asks often.
router = Router(tags=["health"], auth=None, throttle=[])


@router.get("/live", response=HealthOut, summary="See whether it is alive")
async def health_live(request: HttpRequest) -> HealthOut:
    """Answer as long as the process does; if it doesn't, start it anew."""
    return HealthOut()


@router.get(
    "/ready",
    response={200: HealthOut, 503: ProblemOut},
    summary="See whether it can take requests",
)
async def health_ready(request: HttpRequest) -> HealthOut | HttpResponse:
    """Answer that streams and events can be taken, so that they may be sent here.

    They can't while the process is about to stop, or can't reach its broker.
    """
    hub = runtime.hub()
    if hub is not None and hub.draining:
        return problems.unavailable("This process is about to stop.")
    await _reach_the_broker()
    return HealthOut()


async def _reach_the_broker() -> None:
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            await runtime.publisher().position()
    except TimeoutError:
        raise BrokerUnavailable(f"No answer within {BROKER_SECONDS} s.") from None
