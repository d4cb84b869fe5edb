"""Components whose state is in the process, so that a test can change it."""

from __future__ import annotations

from tests.browser.live.components import board, calls, counts, lists, texts, tiles

__all__ = ["board", "calls", "counts", "lists", "texts", "tiles"]
