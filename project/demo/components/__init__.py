"""The demo's components, by page."""

from __future__ import annotations

from project.demo.components.jobs import LongJob
from project.demo.components.news import Alert, LiveTicker, NewsTicker
from project.demo.components.people import Lobby, Online
from project.demo.components.todo import TodoAdd, TodoCount, TodoList, TodoRow

__all__ = [
    "Alert",
    "LiveTicker",
    "Lobby",
    "LongJob",
    "NewsTicker",
    "Online",
    "TodoAdd",
    "TodoCount",
    "TodoList",
    "TodoRow",
]
