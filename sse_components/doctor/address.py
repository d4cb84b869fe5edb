"""The public address of a site, and connections to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Where an application begins."""

    scheme: str
    host: str
    port: int
    origin: str
    """As a browser says it."""
    path: str
    """Without a slash at its end."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Read an address; raises `ValueError`."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or parts.username:
            raise ValueError(f"{url!r} is no address like 'https://example.com/'.")
        default = PORTS[parts.scheme]
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = parts.port or default
        return cls(
            scheme=parts.scheme,
            host=parts.hostname,
            port=port,
            origin=f"{parts.scheme}://{host}{'' if port == default else f':{port}'}",
            path=parts.path.rstrip("/"),
        )

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken there."""
        return self.scheme == "https"

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent there."""
        try:
            is_here = ip_address(self.host).is_loopback
        except ValueError:
            is_here = self.host == "localhost"
        return self.is_encrypted or is_here

    def connection(self, seconds: float) -> HTTPConnection:
        """Return one that gives up when it hears nothing for some time."""
        if not self.is_encrypted:
            return HTTPConnection(self.host, self.port, timeout=seconds)
        context = tls("http/1.1")
        return HTTPSConnection(self.host, self.port, timeout=seconds, context=context)


def tls(*protocols: str) -> ssl.SSLContext:
    """Return what trusts whom the system trusts, and offers protocols over TLS."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(list(protocols))
    return context
