"""Keeps grants and groups out of uvicorn's log: they stand in the query of a stream."""

from __future__ import annotations

import logging
from urllib.parse import quote


class QueriesCut(logging.Filter):
    """Cuts the query of the addresses below a prefix."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = quote(prefix)

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
        return path if self._prefix in path else argument
