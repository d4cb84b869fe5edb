"""API keys: for now one, from the settings, with every scope."""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyHeader, HttpBearer

from sse_components.brokers.base import ONLINE
from sse_components.groups import Integrator
from sse_components.requests import bearer_key

from .access import EVERYTHING, Scope, check_scope

SETTING = "SSE_API_KEY"
DECLARED = "x-scope"
"""Under this an operation carries its scope, until the document says it better."""


def integrator(key: str) -> Integrator | None:
    """Return whose key it is; compares in constant time."""
    wanted = getattr(settings, SETTING, "")
    if wanted and compare_digest(wanted.encode(), key.encode(errors="surrogatepass")):
        return Integrator("settings", (EVERYTHING, ONLINE))
    return None


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

    async def __call__(self, request: HttpRequest) -> Integrator | None:
        # Ninja's own would log a header of another kind, and take a thread for this.
        key = bearer_key(request.headers.get(self.header, ""))
        return self.authenticate(request, key)

    def authenticate(self, request: HttpRequest, token: str) -> Integrator | None:
        return _with_scope(token, self._scope)


class Header(APIKeyHeader):
    """`X-API-Key: <key>`."""

    param_name = "X-API-Key"

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self._scope = scope

    async def __call__(self, request: HttpRequest) -> Integrator | None:
        return self.authenticate(request, self._get_key(request))

    def authenticate(self, request: HttpRequest, key: str | None) -> Integrator | None:
        return _with_scope(key or "", self._scope)


def _with_scope(key: str, scope: Scope) -> Integrator | None:
    if owner := integrator(key):
        check_scope(owner, scope)
    return owner
