"""docs/performance.md: how it is measured; test_bench.py tests what measures."""

from __future__ import annotations

from tests.docs.pages import Page

PAGE = Page("performance.md")
