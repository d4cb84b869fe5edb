"""What our system checks say."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import WARNING, CheckMessage, Error, run_checks

from sse_components.doctor.findings import Finding, Level, ok

SUBJECT = "system checks"
OURS = "sse_components"
"""How the ids of our messages begin, those of the API too."""


def findings() -> Iterator[Finding]:
    """Tell what is wrong, or that nothing is."""
    told = [_finding(message) for message in _messages()]
    yield from told or [ok(SUBJECT, "they have nothing to say.")]


def _messages() -> list[CheckMessage]:
    try:
        found = run_checks()
    except Exception as error:  # of the project's own code, which they import
        text = f"they can't be run: {type(error).__name__}: {error}"
        return [Error(text, hint="`manage.py check` shows where.", id=OURS)]
    return [one for one in found if _is_ours(one)]


def _is_ours(message: CheckMessage) -> bool:
    is_told = message.level >= WARNING and not message.is_silenced()
    return is_told and str(message.id).startswith(OURS)


def _finding(message: CheckMessage) -> Finding:
    level = Level.ERROR if message.is_serious() else Level.WARNING
    about = f"{message.obj}: " if message.obj else ""
    subject = SUBJECT if message.id == OURS else str(message.id)
    return Finding(level, subject, f"{about}{message.msg}", message.hint or "")
