"""Fixtures: what is published, as batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from sse_components import runtime
from sse_components.brokers.base import Idempotency, Published
from sse_components.brokers.memory import MemoryBroker
from sse_components.events import Draft

Told = tuple[str, str, dict[str, Any]]
"""A group, an operation, what of its payload is set."""


class Recorder(MemoryBroker):
    """A broker that remembers what was published together."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[Told]] = []
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens while something is published."""

    def publish(
        self, drafts: Sequence[Draft], idempotency: Idempotency | None = None
    ) -> list[Published]:
        self.meanwhile()
        published = super().publish(drafts, idempotency)
        self.batches.append([_brief(draft) for draft in drafts])
        return published

    def told(self) -> list[Told]:
        """Return what was published since the last time."""
        batches, self.batches = self.batches, []
        return [told for batch in batches for told in batch]


def _brief(draft: Draft) -> Told:
    payload = json.loads(draft.payload)
    payload.pop("model", None)
    operation = draft.type.removeprefix("component.")
    return draft.group, operation, {k: v for k, v in payload.items() if v}


@pytest.fixture
def published() -> Iterator[Recorder]:
    recorder = Recorder()
    with runtime.publishing_to(recorder):
        yield recorder
