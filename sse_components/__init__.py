"""Server-rendered Django components that stay live over server-sent events."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sse_components.components.base import ReactiveComponent
    from sse_components.components.public import public
    from sse_components.console.orders import trace
    from sse_components.dispatcher import ComponentDispatcher
    from sse_components.revoking import (
        adisconnect_user,
        arevoke,
        disconnect_user,
        revoke,
    )

__version__ = "0.1.0"

__all__ = [
    "ComponentDispatcher",
    "ReactiveComponent",
    "adisconnect_user",
    "arevoke",
    "disconnect_user",
    "public",
    "revoke",
    "trace",
]

_HOMES = {
    "ComponentDispatcher": "sse_components.dispatcher",
    "ReactiveComponent": "sse_components.components.base",
    "adisconnect_user": "sse_components.revoking",
    "arevoke": "sse_components.revoking",
    "disconnect_user": "sse_components.revoking",
    "public": "sse_components.components.public",
    "revoke": "sse_components.revoking",
    "trace": "sse_components.console.orders",
}


def __getattr__(name: str) -> Any:
    # Late, so that this package can be imported before Django's apps are loaded, and
    # its core without Django.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
