"""Breaks what a deployment consists of, one thing after the other, under load.

    python -m tests.chaos [--only NAME,NAME] [--visitors N] [--json FILE]

Loopback only; some minutes. It fails if anything of what was published was neither
delivered nor reset, or came twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.verdict import Verdict, judge
from tests.chaos.world import World

SETTLED_SECONDS = 60
"""How long what is right again may take to be complete everywhere."""


async def run(fault: Fault, visitors: int) -> Verdict:
    with tempfile.TemporaryDirectory() as folder:
        async with World.open(Path(folder), fault.visitors or visitors) as world:
            async with world.publishing(fault.seconds_between):
                await fault.happen(world)
            await world.settle(SETTLED_SECONDS)
            return judge(fault, world)


def main() -> int:
    arguments = _arguments()
    verdicts = []
    print(Verdict.HEADINGS)
    for fault in FAULTS:
        if arguments.only and fault.name not in arguments.only:
            continue
        verdicts.append(asyncio.run(run(fault, arguments.visitors)))
        print(verdicts[-1].row, flush=True)
    if arguments.json:
        found = [verdict.as_json() for verdict in verdicts]
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if all(verdict.is_good for verdict in verdicts) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="NAMES")
    parser.add_argument("--visitors", type=int, default=300)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
