"""What the doctor says of one thing that it has looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; streams don't work, or not well, where there is an error."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    level: Level
    subject: str
    text: str
    cure: str = ""

    def __str__(self) -> str:
        line = f"{self.level:<7}  {self.subject}: {self.text}"
        return f"{line} {self.cure}" if self.cure else line

    def as_dict(self) -> dict[str, str]:
        """Return what stands in JSON."""
        return asdict(self)


def ok(subject: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Level.OK, subject, text)


def warning(subject: str, text: str, cure: str) -> Finding:
    """Return that something may go wrong, and what to do."""
    return Finding(Level.WARNING, subject, text, cure)


def error(subject: str, text: str, cure: str) -> Finding:
    """Return that something doesn't work, and what to do."""
    return Finding(Level.ERROR, subject, text, cure)
