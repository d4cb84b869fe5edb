"""What became of all that was published while something was broken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import ClassVar

from tests.chaos.faults import Fault
from tests.chaos.world import World


@dataclass(frozen=True)
class Verdict:
    """Counts of deliveries: of each event to each visitor who follows its group."""

    HEADINGS: ClassVar = (
        f"{'':10}{'published':>10}{'refused':>9}{'due':>10}{'delivered':>11}"
        f"{'reset':>8}{'lost':>6}{'twice':>7}{'silence':>10}"
    )

    name: str
    what: str
    visitors: int
    published: int
    refused: int
    """Requests to publish that were answered with an error, or not at all."""
    delivered: int
    reset: int
    """What a reset stands for: the page has fetched its state anew."""
    lost: int
    twice: int
    silence: float
    """Seconds, the longest for which any visitor has heard nothing."""

    @property
    def due(self) -> int:
        return self.delivered + self.reset + self.lost

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.twice) and self.due > 0

    @property
    def row(self) -> str:
        return (
            f"{self.name:10}{self.published:>10,}{self.refused:>9,}{self.due:>10,}"
            f"{self.delivered / self.due:>11.2%}{self.reset / self.due:>8.2%}"
            f"{self.lost:>6}{self.twice:>7}{self.silence:>8.1f} s"
        )

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def judge(fault: Fault, world: World) -> Verdict:
    accounts = [visitor.account(world.published) for visitor in world.visitors]
    return Verdict(
        name=fault.name,
        what=fault.what,
        visitors=len(world.visitors),
        published=len(world.published),
        refused=world.refused,
        delivered=sum(account.delivered for account in accounts),
        reset=sum(len(account.reset) for account in accounts),
        lost=sum(len(account.lost) for account in accounts),
        twice=sum(account.repeated for account in accounts),
        silence=max(_silence(visitor.heard, world.began) for visitor in world.visitors),
    )


def _silence(heard: list[float], began: float) -> float:
    after = [began, *(moment for moment in heard if moment > began)]
    return max((late - early for early, late in pairwise(after)), default=0.0)
