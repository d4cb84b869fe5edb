"""The open streams, found by whose they are."""

from __future__ import annotations

from collections.abc import Sequence

from sse_components.subscriber import Subscriber


class Visits:
    """An index that takes little room: most visitors have one stream."""

    def __init__(self) -> None:
        self._of_subjects: dict[str, Subscriber | tuple[Subscriber, ...]] = {}
        """A stream itself where it is the only one of a subject."""

    def add(self, subscriber: Subscriber) -> None:
        """Have a stream found by the subjects it is of."""
        for subject in subscriber.whose.subjects:
            others = self.of(subject)
            self._of_subjects[subject] = (*others, subscriber) if others else subscriber

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a stream, which may have been forgotten before."""
        for subject in subscriber.whose.subjects:
            visits = self.of(subject)
            if rest := tuple(visit for visit in visits if visit is not subscriber):
                self._of_subjects[subject] = rest if len(rest) > 1 else rest[0]
            elif visits:
                del self._of_subjects[subject]

    def of(self, subject: str) -> Sequence[Subscriber]:
        """Return the streams of a subject."""
        visits = self._of_subjects.get(subject, ())
        return visits if isinstance(visits, tuple) else (visits,)
