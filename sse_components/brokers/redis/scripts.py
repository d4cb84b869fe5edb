"""The Lua that runs inside Redis, where each call is one atomic step."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files


def lua(name: str) -> str:
    """Return the text of one of our files."""
    return files(__package__).joinpath("lua", f"{name}.lua").read_text()


def new_epoch() -> str:
    """Return the epoch of a memory that begins with this call, should there be none.

    Another for each call: the same one again would hide that a memory was lost.
    """
    return secrets.token_hex(4)


@dataclass
class Script:
    """A script as it is sent: first whole, then by its digest."""

    name: str
    source: str

    @cached_property
    def digest(self) -> str:
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """All there are; `clock` is the Lua that defines `now_us()`."""

    def __init__(self, clock: str) -> None:
        def script(*names: str) -> Script:
            source = "\n".join([clock, *map(lua, ["prelude", *names])])
            return Script(names[-1], source)

        self.publish = script("publish")
        self.resume = script("resume")
        self.history = script("history")
        self.note = script("note")
        self.probe = script("probe")
        self.revoke = script("revoke")
        self.revocations = script("revocations")
        self.report = script("presence", "report")
        self.withdraw = script("presence", "withdraw")
        self.sweep = script("presence", "sweep")
        self.members = script("members")
        self.statuses = script("statuses")
        self.subscribers = script("subscribers")
        self.groups = script("groups")
