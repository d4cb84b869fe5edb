"""What the demo does when a user comes or goes."""

from __future__ import annotations

import logging
from typing import Any

from sse_components import ComponentDispatcher
from sse_components.errors import BrokerUnavailable
from sse_components.signals import presence_changed

STAFF_GROUP = "staff.online"

logger = logging.getLogger(__name__)


def connect() -> None:
    """Listen, for as long as the process lives."""
    presence_changed.connect(_tell_staff)


def _tell_staff(*, type: str, **kwargs: Any) -> None:
    if type not in ("presence.online", "presence.offline"):
        return
    try:
        ComponentDispatcher.sync.data_changed(STAFF_GROUP)
    except BrokerUnavailable as error:
        logger.warning("Staff was not told of %s: %s", type, error)
