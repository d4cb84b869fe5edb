"""The door for reactive models: what is done to their rows is published."""

from __future__ import annotations

from sse_components.reactive import receivers
from sse_components.reactive.base import ReactiveModel
from sse_components.reactive.querysets import ReactiveManager, ReactiveQuerySet
from sse_components.reactive.suppression import suppress_events

__all__ = ["ReactiveManager", "ReactiveModel", "ReactiveQuerySet", "suppress_events"]

receivers.connect()
