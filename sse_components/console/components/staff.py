"""Staff alone can load any component of the console, and is told of an outage."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied

from sse_components import runtime
from sse_components.components.base import ReactiveComponent
from sse_components.components.public import public
from sse_components.errors import BrokerUnavailable
from sse_components.groups import is_staff
from sse_components.logbook.names import PROCESSES

logger = logging.getLogger("sse_components.console")


class ForStaff(ReactiveComponent):
    """Refuses everybody else, and says so when the broker is away."""

    away = False

    def load(self, *args: Any, **kwargs: Any) -> None:
        user = getattr(self.request, "user", None)
        if not runtime.settings().console or not is_staff(user):
            raise PermissionDenied
        self.away = False
        try:
            self.read(*args, **kwargs)
        except BrokerUnavailable:
            self.away = True

    def read(self, *args: Any, **kwargs: Any) -> None:
        """Ask the broker what the template shows; may raise `BrokerUnavailable`."""

    def get_subscription(self) -> str | Sequence[str]:
        return PROCESSES

    def _log(self, what: str) -> None:
        """Log what staff has done, and who it was."""
        logger.info("%s by %s", what, self.request.user.pk)

    @public
    def look(self) -> None:
        """Rendering looks again."""
