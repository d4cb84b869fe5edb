"""What the console's pages are made of, a module for each."""

from sse_components.console.components.answers import Why
from sse_components.console.components.connections import User, Visitors
from sse_components.console.components.events import Publish, Tail
from sse_components.console.components.groups import Group, Groups
from sse_components.console.components.overview import Overview
from sse_components.console.components.people import People

__all__ = [
    "Group",
    "Groups",
    "Overview",
    "People",
    "Publish",
    "Tail",
    "User",
    "Visitors",
    "Why",
]
