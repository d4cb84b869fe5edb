"""Whether a public address can be reached, and what is spoken there."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from sse_components.doctor.address import Address, tls
from sse_components.doctor.findings import Finding, error, ok, warning

SUBJECT = "address"
CONNECT_SECONDS = 5


def findings(address: Address) -> Iterator[Finding]:
    """Tell what a connection comes to; an error is the end of it."""
    try:
        protocol = _protocol(address)
    except ssl.SSLCertVerificationError as fault:
        yield error(
            "certificate",
            f"{address.origin} is not trusted: {fault.verify_message}.",
            "Renew it, with all between it and its issuer; SSL_CERT_FILE names a "
            "file of issuers to trust here.",
        )
    except ssl.SSLError as fault:
        yield error(
            SUBJECT,
            f"{address.origin} speaks no TLS that is known here: {fault.reason}.",
            "Try http://, or correct the certificate's set-up in the proxy.",
        )
    except OSError as fault:
        yield error(
            SUBJECT,
            f"{address.origin} can't be reached: {fault.strerror or fault}.",
            "Start what listens there, or correct the name, the port or a firewall.",
        )
    else:
        yield _spoken(address, protocol)


def _protocol(address: Address) -> str | None:
    """Return which one is chosen of those that a browser offers."""
    target = address.host, address.port
    with socket.create_connection(target, CONNECT_SECONDS) as connection:
        if not address.is_encrypted:
            return None
        context = tls("h2", "http/1.1")
        with context.wrap_socket(connection, server_hostname=address.host) as secure:
            return secure.selected_alpn_protocol()


def _spoken(address: Address, protocol: str | None) -> Finding:
    if protocol == "h2":
        return ok(SUBJECT, f"{address.origin} speaks HTTP/2.")
    if not address.is_encrypted:
        return ok(SUBJECT, f"{address.origin} speaks HTTP/1.1, without TLS.")
    return warning(
        SUBJECT,
        f"{address.origin} speaks HTTP/1.1 and not HTTP/2: a browser has six "
        "connections for all tabs, so some tabs have to take the WebSocket.",
        "Have the proxy offer HTTP/2 (nginx: `http2 on;`).",
    )
