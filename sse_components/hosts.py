"""Whether a connection comes to a host of ours and from a page of ours.

Streams bypass Django, so its rules are applied here, without a request object.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http.request import split_domain_port, validate_host

_PORTS = {"http": "80", "https": "443"}
_LOCAL = [".localhost", "127.0.0.1", "[::1]"]  # as Django's get_host()


def host_of(headers: Mapping[str, str], server: tuple[str, int | None] | None) -> str:
    """Return what Django's `get_host()` would; raises `DisallowedHost`."""
    host = headers.get("x-forwarded-host") if settings.USE_X_FORWARDED_HOST else None
    if host is None:
        host = headers.get("host")
    if host is None:
        host = _server(server)
    domain, _ = split_domain_port(host)
    allowed = settings.ALLOWED_HOSTS or (_LOCAL if settings.DEBUG else [])
    if not domain or not validate_host(domain, allowed):
        raise DisallowedHost(host)
    return host


def is_foreign(origin: str, host: str) -> bool:
    """Whether a page's origin is another host than the one it asks.

    Not whether it is another scheme: behind a proxy that ends TLS nobody here knows
    the scheme of the page.
    """
    try:
        parts = urlsplit(origin)
        default = _PORTS[parts.scheme]
        port = str(parts.port or default)
    except (ValueError, KeyError):
        return True
    name = (parts.hostname or "").removesuffix(".")
    domain, host_port = split_domain_port(host)
    return (f"[{name}]" if ":" in name else name, port) != (
        domain,
        host_port or default,
    )


def _server(server: tuple[str, int | None] | None) -> str:
    name, port = server or ("unknown", 0)
    return name if port in (None, 80, 443) else f"{name}:{port}"
