"""Keeps grants and groups out of uvicorn's log: they stand in addresses of ours."""

from __future__ import annotations

import logging
from urllib.parse import quote


class QueriesCut(logging.Filter):
    """Cuts the query of addresses below a prefix, and what a proxy is to go on with."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = quote(prefix)
        self._further = f"{self._prefix}grip/"

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(self._cut(argument) for argument in record.args)
        return True

    def install(self) -> None:
        for name in ("uvicorn.access", "uvicorn.error"):  # the latter for WebSockets
            logging.getLogger(name).addFilter(self)

    def uninstall(self) -> None:
        for name in ("uvicorn.access", "uvicorn.error"):
            logging.getLogger(name).removeFilter(self)

    def _cut(self, argument: object) -> object:
        # An address as uvicorn logs it begins with the root path, if there is one.
        path = argument.partition("?")[0] if isinstance(argument, str) else ""
        before, further, _ = path.partition(self._further)
        return before + further if self._prefix in path else argument
