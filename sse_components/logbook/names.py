"""The groups of the logbook."""

from __future__ import annotations

from typing import Final

from sse_components.events import segment
from sse_components.groups import CONSOLE

PROCESSES: Final = f"{CONSOLE}.processes"
"""What each process says of itself once a second."""

VISITORS: Final = f"{CONSOLE}.visitors"
"""The connections of those who aren't logged in."""

TAIL: Final = f"{CONSOLE}.tail"
"""What is published to all other groups, while somebody looks."""

CONTROL: Final = f"{CONSOLE}.control"
"""What processes are asked to do."""


def log_of(user: str | None) -> str:
    """Return the group of the connections of a user."""
    return VISITORS if user is None else f"{CONSOLE}.user.{segment(user)}"


def trace_of(user: str) -> str:
    """Return the group of what the connections of a user were handed, one by one."""
    return f"{CONSOLE}.trace.{segment(user)}"


def process_log(process: str) -> str:
    """Return the group of how far a process was, second by second."""
    return f"{CONSOLE}.process.{process}"


def is_of_the_logbook(name: str) -> bool:
    """Whether a group is one of these."""
    return name.startswith(f"{CONSOLE}.")
