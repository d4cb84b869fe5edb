"""Whether a WebSocket, to which pages fall back, comes through a public address."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException, HTTPResponse

from sse_components import runtime
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, ok, warning

SUBJECT = "WebSocket"
PATIENCE_SECONDS = 5
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
UPGRADED = (
    "Have the proxy pass the upgrade on (nginx: `proxy_http_version 1.1;`, "
    "`proxy_set_header Upgrade $http_upgrade;`, `proxy_set_header Connection "
    '"upgrade";`), and install uvicorn[standard].'
)
HOST = (
    "Have the proxy pass the host on as it came (nginx: `proxy_set_header Host "
    "$http_host;`), because a page of another host is refused."
)


def findings(address: Address, patience: float = PATIENCE_SECONDS) -> Iterator[Finding]:
    """Tell whether the opening handshake is answered (RFC 6455 4)."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    with closing(address.connection(patience)) as connection:
        try:
            connection.request("GET", _target(address), headers=_headers(address, key))
            with closing(connection.getresponse()) as answer:
                yield _answered(answer, key)
        except TimeoutError:
            text = f"nothing came within {patience:g} s."
            yield warning(SUBJECT, text, UPGRADED)
        except (OSError, HTTPException) as fault:
            text = f"it was cut: {str(fault) or type(fault).__name__}."
            yield warning(SUBJECT, text, UPGRADED)


def _target(address: Address) -> str:
    return f"{address.path}{runtime.settings().prefix}ws"


def _headers(address: Address, key: str) -> dict[str, str]:
    return {
        "Connection": "Upgrade",
        "Origin": address.origin,
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        "Upgrade": "websocket",
        "User-Agent": "sse_doctor",
    }


def _answered(answer: HTTPResponse, key: str) -> Finding:
    digest = hashlib.sha1(f"{key}{MAGIC}".encode(), usedforsecurity=False).digest()
    accepted = answer.headers.get("Sec-WebSocket-Accept")
    if answer.status == 101 and accepted == base64.b64encode(digest).decode():
        return ok(SUBJECT, "it opens.")
    text = f"it doesn't open, but is answered with {answer.status}."
    return warning(SUBJECT, text, HOST if answer.status == 403 else UPGRADED)
