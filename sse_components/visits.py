"""The open streams, found by whose they are."""

from __future__ import annotations

from collections.abc import Sequence

from sse_components.subscriber import Subscriber


class Visits:
    """An index that takes little room: most visitors have one stream."""

    def __init__(self) -> None:
        self._of_subjects: dict[str, tuple[Subscriber, ...]] = {}

    def add(self, subscriber: Subscriber) -> None:
        """Have a stream found by the subjects it is of."""
        for subject in subscriber.whose.subjects:
            others = self._of_subjects.get(subject, ())
            self._of_subjects[subject] = (*others, subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Forget a stream, which may have been forgotten before."""
        for subject in subscriber.whose.subjects:
            visits = self._of_subjects.get(subject, ())
            if rest := tuple(visit for visit in visits if visit is not subscriber):
                self._of_subjects[subject] = rest
            elif visits:
                del self._of_subjects[subject]

    def of(self, subject: str) -> Sequence[Subscriber]:
        """Return the streams of a subject."""
        return self._of_subjects.get(subject, ())
