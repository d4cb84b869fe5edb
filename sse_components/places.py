"""How many streams may be open at once: in this process, and for each user."""

from __future__ import annotations

from collections import Counter


class Places:
    """Gives a place to each stream, and no more than there are."""

    def __init__(self, most: int, most_per_user: int) -> None:
        self._most = most
        self._most_per_user = most_per_user
        self._taken = 0
        self._of_users: Counter[str] = Counter()

    def take(self) -> Place | None:
        """Take a place for a connection, before anything about it is waited for.

        Whoever is given one gives it back.
        """
        if self._taken >= self._most:
            return None
        self._taken += 1
        return Place(self)

    def claim(self, user: str) -> bool:
        if self._of_users[user] >= self._most_per_user:
            return False
        self._of_users[user] += 1
        return True

    def give_back(self, user: str | None) -> None:
        self._taken -= 1
        if user is None:
            return
        self._of_users[user] -= 1
        if not self._of_users[user]:
            del self._of_users[user]


class Place:
    """One stream's place, until it is given back."""

    __slots__ = ("_places", "_user")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._user: str | None = None

    def claim(self, user: str) -> bool:
        """Count the place as a user's; false if that user has all it may have."""
        if not self._places.claim(user):
            return False
        self._user = user
        return True

    def give_back(self) -> None:
        """Leave the place to another connection; called once."""
        self._places.give_back(self._user)
