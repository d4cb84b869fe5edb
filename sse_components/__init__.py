"""Server-rendered Django components that stay live over server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sse_components.dispatcher import ComponentDispatcher

__version__ = "0.1.0"

__all__ = ["ComponentDispatcher"]


def __getattr__(name: str) -> Any:
    # Late, so that this package can be imported before Django's apps are loaded, and
    # its core without Django.
    if name == "ComponentDispatcher":
        from sse_components.dispatcher import ComponentDispatcher

        return ComponentDispatcher
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
