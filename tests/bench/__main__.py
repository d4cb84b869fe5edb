"""Measures the project, and beside it what else is installed.

    python -m tests.bench [--peers] [--json FILE] [--only W1,W2] [--rounds N]

Loopback only. The server has one core, the load and Redis another.
"""

from __future__ import annotations

import argparse
import gc
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import report, results
from tests.bench.cases import cases, chosen
from tests.bench.load import Failed
from tests.bench.requests import Refused
from tests.bench.results import Case, Measure
from tests.bench.server import prepare
from tests.bench.target import Target
from tests.redis_servers import DEFAULT

LIMIT_SECONDS = {False: 290, True: 840}
"""Without peers and with them: no round begins that would end after that."""


class Bench:
    """Runs all cases round by round and keeps what came of it."""

    def __init__(self, cases: Sequence[Case], limit: float) -> None:
        self.cases = cases
        self.measures: dict[tuple[str, str], dict[int, Measure]] = {}
        self.notes: dict[tuple[str, str], str] = {}
        self._start = time.monotonic()
        self._limit = limit
        self.rounds = 0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def run(self, rounds: int) -> None:
        for case in self.cases:
            if case.once:
                self._measure(case, 0)
        longest = 0.0
        for number in range(rounds):
            begun = self.seconds
            if begun + longest > self._limit:
                _say(f"No time is left for {rounds - number} of {rounds} rounds.")
                return
            for case in self.cases:
                if not case.once:
                    self._measure(case, number)
            self.rounds = number + 1
            longest = max(longest, self.seconds - begun)

    def _measure(self, case: Case, number: int) -> None:
        measured = self.measures.setdefault(case.key, {})
        if case.target is None:
            return
        label = f"round {number + 1}  {case.workload:4} {case.server:28}"
        try:
            measure = measured[number] = case.measure(case.target)
        except (Failed, Refused, OSError, LookupError, AssertionError) as error:
            self.notes[case.key] = " ".join(str(error).split())[:200]
            _say(f"{label} {self.notes[case.key]}")
        else:
            _say(f"{label} {measure.value:>10,.1f} {case.unit}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _peers() -> list[Target]:
    from tests.bench.peers import installed  # imports what only a bench needs

    return installed()


def _redis() -> str:
    done = subprocess.run(
        [DEFAULT, "--version"], capture_output=True, text=True, check=False
    )
    return done.stdout.partition("v=")[2].partition(" ")[0]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--peers", action="store_true", help="the peers too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write it")
    parser.add_argument("--only", default="", help="some workloads, like W1,W2")
    parser.add_argument("--rounds", type=int, default=3, help="at most so many")
    return parser.parse_args()


def _report(bench: Bench) -> dict[str, Any]:
    targets = [case.target for case in bench.cases if case.target]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": results.machine(),
        "versions": results.versions(targets, _redis()),
        "rounds": bench.rounds,
        "seconds": bench.seconds,
        "rows": [
            results.row(case, bench.measures, bench.notes.get(case.key, ""))
            for case in bench.cases
        ],
    }


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops what runs, too
    gc.disable()  # its pauses would be measured as latency
    prepare()
    all_cases = cases(_peers() if arguments.peers else [])
    if arguments.only:
        all_cases = chosen(all_cases, arguments.only.split(","))
        if not all_cases:
            sys.exit(f"There is no workload {arguments.only}.")
    bench = Bench(all_cases, LIMIT_SECONDS[arguments.peers])
    code = 0
    try:
        bench.run(arguments.rounds)
    except KeyboardInterrupt:
        _say("Stopped; this is what was measured until then.")
        code = 130
    done = _report(bench)
    print(report.plain(done))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(done, indent=2, ensure_ascii=False) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
