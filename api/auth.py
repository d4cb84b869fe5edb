"""API keys: for now one, from the settings, with every scope."""

from __future__ import annotations

from hmac import compare_digest

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyHeader, HttpBearer

from sse_components.groups import Integrator
from sse_components.requests import bearer_key

SETTING = "SSE_API_KEY"


def integrator(key: str) -> Integrator | None:
    """Return whose key it is; compares in constant time."""
    wanted = getattr(settings, SETTING, "")
    if wanted and compare_digest(wanted.encode(), key.encode(errors="surrogatepass")):
        return Integrator("settings", ("**",))
    return None


class Bearer(HttpBearer):
    """`Authorization: Bearer <key>`."""

    async def __call__(self, request: HttpRequest) -> Integrator | None:
        # Ninja's own would log a header of another kind, and take a thread for this.
        key = bearer_key(request.headers.get(self.header, ""))
        return self.authenticate(request, key)

    def authenticate(self, request: HttpRequest, token: str) -> Integrator | None:
        return integrator(token)


class Header(APIKeyHeader):
    """`X-API-Key: <key>`."""

    param_name = "X-API-Key"

    async def __call__(self, request: HttpRequest) -> Integrator | None:
        return self.authenticate(request, self._get_key(request))

    def authenticate(self, request: HttpRequest, key: str | None) -> Integrator | None:
        return integrator(key or "")
