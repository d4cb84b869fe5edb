"""A context in which nothing is published of what is done to reactive models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_suppressed: ContextVar[bool] = ContextVar("suppressed", default=False)


@contextmanager
def suppress_events() -> Iterator[None]:
    """Publish nothing of what is done to reactive models in this block."""
    reset = _suppressed.set(True)
    try:
        yield
    finally:
        _suppressed.reset(reset)


def is_suppressed() -> bool:
    """Whether the code that runs is in such a block."""
    return _suppressed.get()
