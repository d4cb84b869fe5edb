"""API keys in a request: where they stand, whose they are, what they may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hmac import compare_digest
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables
from ninja.security import APIKeyHeader, HttpBearer

from sse_components import runtime
from sse_components.brokers.base import ONLINE
from sse_components.events import NOWHERE
from sse_components.requests import bearer_key

from .access import EVERYTHING, Holder, Scope, check_scope
from .keyring import keyring

SETTING = "SSE_API_KEY"
DECLARED = "x-scope"
"""Under this an operation carries its scope, until the document says it better."""


@sensitive_variables()
async def integrator(key: str) -> Holder | None:
    """Return whose key it is: the one of the settings, or one of the table.

    It compares in constant time, and raises `KeysUnavailable`.
    """
    wanted = getattr(settings, SETTING, "")
    if wanted and compare_digest(wanted.encode(), key.encode(errors="surrogatepass")):
        return Holder("settings", (EVERYTHING, ONLINE))
    return await keyring.find(key)


def keys(scope: Scope) -> list[Callable[..., Any]]:
    """Return where a key may stand, which has to have a scope."""
    return [Bearer(scope), Header(scope)]


def needs(scope: Scope) -> dict[str, Any]:
    """Declare the scope of an operation, to which these are arguments."""
    return {"auth": keys(scope), "openapi_extra": {DECLARED: scope}}


class Bearer(HttpBearer):
    """`Authorization: Bearer <key>`."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope

    @sensitive_variables()
    async def __call__(self, request: HttpRequest) -> Holder | None:
        # Ninja's own would log a header of another kind, and take a thread for this.
        key = bearer_key(request.headers.get(self.header, ""))
        return await self.authenticate(request, key)

    @sensitive_variables()
    async def authenticate(self, request: HttpRequest, token: str) -> Holder | None:
        return await _with_scope(token, self._scope)


class Header(APIKeyHeader):
    """`X-API-Key: <key>`."""

    param_name = "X-API-Key"

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope

    @sensitive_variables()
    async def __call__(self, request: HttpRequest) -> Holder | None:
        return await self.authenticate(request, self._get_key(request))

    @sensitive_variables()
    async def authenticate(
        self, request: HttpRequest, key: str | None
    ) -> Holder | None:
        return await _with_scope(key or "", self._scope)


@sensitive_variables()
async def _with_scope(key: str, scope: Scope) -> Holder | None:
    hub = runtime.hub()
    asked = hub.judged if hub else NOWHERE  # before anything is looked up
    owner = await integrator(key)
    if owner is None:
        return None
    check_scope(owner, scope)
    return replace(owner, asked=asked)
