"""What was revoked, as far as this process has heard: whether a grant still stands."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sse_components.brokers.base import Revocation
from sse_components.events import NOWHERE, Position, overlaps

MAX_GRANT_SECONDS = 86_400
"""No grant lives longer, so no revocation matters longer."""

KEYS = "keys"
"""The subject whose revocation says that what is known of API keys is out of date."""


def user_subject(user: str) -> str:
    """Return what stands for a user in a revocation."""
    return f"user:{user}"


def browser_subject(fingerprint: str) -> str:
    """Return what stands for a browser, known by its cookie's fingerprint."""
    return f"browser:{fingerprint}"


def session_subject(segment: str) -> str:
    """Return what stands for a session, known by the last segment of its group."""
    return f"session:{segment}"


def key_subject(name: str) -> str:
    """Return what stands for the streams that an external system opens by its key."""
    return f"key:{name}"


def issuer_subject(name: str) -> str:
    """Return what stands for all that an external system has granted to others."""
    return f"issuer:{name}"


def may_return(revocation: Revocation) -> bool:
    """Whether who it is about may be let in again, and is to find out.

    A session's user may have another by now, and a key may only have changed.
    """
    return _may_return(revocation.subject)


def _may_return(subject: str) -> bool:
    return subject.startswith(("session:", "key:"))


@dataclass(frozen=True, slots=True)
class Whose:
    """Who a stream was opened for, and at which position that was found to be right."""

    position: Position
    user: str | None = None
    browser: str | None = None
    session: str | None = None
    others: frozenset[str] = frozenset()
    """What else a stream of several grants may be revoked as."""

    @property
    def subjects(self) -> frozenset[str]:
        """What revocations may call it."""
        subjects = set(self.others)
        if self.user is not None:
            subjects.add(user_subject(self.user))
        if self.browser is not None:
            subjects.add(browser_subject(self.browser))
        if self.session is not None:
            subjects.add(session_subject(self.session))
        return frozenset(subjects)

    def is_before(self, position: Position) -> bool:
        """Whether a revocation at a position is about what this one has."""
        mine = self.position
        return mine.epoch != position.epoch or mine.seq < position.seq

    def also(self, other: Whose) -> Whose:
        """Return the same one, which is revoked when another one is, too."""
        position = min(self.position, other.position, key=lambda it: it.seq)
        if others := other.subjects - self.subjects:
            return replace(self, position=position, others=self.others | others)
        return replace(self, position=position)


def may_end_for_good(whose: Whose) -> Whose:
    """Return the one who is left of somebody without what may return."""
    gone = frozenset(one for one in whose.subjects if not _may_return(one))
    return Whose(whose.position, others=gone)


NOBODY = Whose(NOWHERE)
"""Of whom nothing can be revoked."""


def merged(several: Sequence[Whose]) -> Whose:
    """Return what several come to: revoked as soon as one of them is.

    The first one's user, browser and session count, where it has them.
    """
    if len(several) == 1:
        return several[0]
    first = Whose(
        several[0].position,
        user=next((one.user for one in several if one.user), None),
        browser=next((one.browser for one in several if one.browser), None),
        session=next((one.session for one in several if one.session), None),
    )
    for one in several:
        first = first.also(one)
    return first


class Revocations:
    """Compares positions: what was granted before a revocation is revoked by it."""

    def __init__(self, is_reserved: Callable[[str], bool]) -> None:
        self._is_reserved = is_reserved
        self._seqs: OrderedDict[tuple[str, str], int] = OrderedDict()
        """By subject and pattern, "" for everything; the newest comes last."""
        self._patterns: dict[str, frozenset[str]] = {}
        """Of each subject, those of which something was revoked."""

    def add(self, revocation: Revocation) -> bool:
        """Note a revocation; whether it was news."""
        key = revocation.subject, revocation.pattern
        seq = revocation.position.seq
        if self._seqs.get(key, -1) >= seq:
            return False
        self._seqs[key] = seq
        self._seqs.move_to_end(key)
        if revocation.pattern:
            others = self._patterns.get(revocation.subject, frozenset())
            self._patterns[revocation.subject] = others | {revocation.pattern}
        self._forget(seq - MAX_GRANT_SECONDS * 1_000_000)
        return True

    def clear(self) -> None:
        """Forget all: they are of an epoch whose grants nobody accepts any more."""
        self._seqs.clear()
        self._patterns.clear()

    def cover(self, whose: Whose) -> bool:
        """Whether all that somebody had at a position is revoked."""
        seq = whose.position.seq
        return any(self._seqs.get((one, ""), -1) > seq for one in whose.subjects)

    def among(self, whose: Whose, names: Iterable[str]) -> Sequence[str]:
        """Return the names that were revoked since somebody had them."""
        if not self._patterns:
            return []
        # A renewal asks in a thread, while the loop may be adding.
        patterns = [
            pattern
            for subject in whose.subjects
            for pattern in self._patterns.get(subject, ())
            if self._seqs.get((subject, pattern), -1) > whose.position.seq
        ]
        if not patterns:
            return []
        return [name for name in names if any(self.takes(p, name) for p in patterns)]

    def takes(self, pattern: str, name: str) -> bool:
        """Whether a subscription to a name delivers anything that a pattern is about.

        No pattern is about a reserved name.
        """
        return pattern == name if self._is_reserved(name) else overlaps(pattern, name)

    def _forget(self, oldest: int) -> None:
        while self._seqs:
            (subject, pattern), seq = next(iter(self._seqs.items()))
            if seq >= oldest:
                return
            del self._seqs[subject, pattern]
            if pattern:
                if rest := self._patterns[subject] - {pattern}:
                    self._patterns[subject] = rest
                else:
                    del self._patterns[subject]
