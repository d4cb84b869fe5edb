"""Every exception of the package.

SSEComponentsError
├── InvalidEvent (ValueError)
│   ├── InvalidGroup
│   ├── InvalidPayload
│   └── PayloadTooLarge
├── InvalidCursor (ValueError)
├── GrantInvalid (ValueError)
│   └── GrantExpired
├── IdempotencyConflict
├── KeysUnavailable
├── BrokerRefused
└── BrokerUnavailable
"""

from __future__ import annotations


class SSEComponentsError(Exception):
    """The base of all; never raised itself."""


class InvalidEvent(SSEComponentsError, ValueError):
    """Something to be published is not an event: its type, its sender, a member."""


class InvalidGroup(InvalidEvent):
    """A name is not that of a group, or a pattern stands where a group is wanted."""


class InvalidPayload(InvalidEvent):
    """A payload can't be written as JSON."""


class PayloadTooLarge(InvalidEvent):
    """A payload is longer than an event may be."""


class InvalidCursor(SSEComponentsError, ValueError):
    """A text is not a cursor."""


class GrantInvalid(SSEComponentsError, ValueError):
    """A text is not a grant of ours."""


class GrantExpired(GrantInvalid):
    """A grant was one of ours."""


class IdempotencyConflict(SSEComponentsError):
    """An idempotency key was used before, with another body."""


class KeysUnavailable(SSEComponentsError):
    """Whether an API key is valid can't be known at the moment."""


class BrokerRefused(SSEComponentsError):
    """The broker is none that can be worked with, and waiting won't change that."""


class BrokerUnavailable(SSEComponentsError):
    """The broker can't be reached; whether all was published can't be known."""
