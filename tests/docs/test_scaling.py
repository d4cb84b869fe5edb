"""docs/scaling.md: its arithmetic, and where its numbers are from."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from math import ceil
from typing import Any

import pytest

from sse_components import conf
from sse_components.doctor.files import OTHERS
from sse_components.hearing import RING_MICROSECONDS
from sse_components.hub import RETRY_MILLISECONDS
from sse_components.spread import FETCHES_PER_SECOND, LEAST_SPREAD_OF_ALL, MOST_SPREAD
from tests.docs.pages import Page
from tests.redis_servers import NewRedisServer
from tests.servers import ROOT
from tests.tutorials import Block

PAGE = Page("scaling.md")
TEXT = " ".join(PAGE.path.read_text().split())
SECONDS = 60
NOISE = 8
"""By how much a machine that has other work may be slower, or a new one faster."""


def measured(table: str, workload: str, server: str) -> float:
    """Return a median of docs/performance.md, in a section of it."""
    page = (ROOT / "docs/performance.md").read_text()
    section = page.partition(f"\n## {table}\n")[2].partition("\n## ")[0]
    (number,) = re.findall(
        rf"^\| {workload} \| {re.escape(server)} \| ([\d,.]+) ", section, re.MULTILINE
    )
    return float(number.replace(",", ""))


def ratio(workload: str) -> float:
    """Return ours to nchan's, as docs/performance.json has it."""
    report = json.loads((ROOT / "docs/performance.json").read_text())
    found: float
    (found,) = (
        row["ratio"]
        for row in report["rows"]
        if (row["workload"], row["server"]) == (workload, "nchan")
    )
    return found


def test_nchan_opens_more_than_ten_times_as_many() -> None:
    assert "opens more than ten times as many connections" in TEXT
    assert ratio("W4") < 0.1


RUN = "One run"
REST = "Publishing over REST"


@PAGE.runs("Three sizes")
def test_the_table_is_what_the_code_computes(blocks: list[Block]) -> None:
    (code,) = blocks
    printed = io.StringIO()
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(printed):
        exec(code.text, names)
    after = PAGE.path.read_text().partition(code.text)[2]
    rows = re.findall(r"^\| \d.*$", after.partition("\n- ")[0], re.MULTILINE)
    assert rows == printed.getvalue().splitlines()
    assert len(rows) == 3
    settings = conf.Settings()
    assert {name: names[name] for name in names if name.isupper()} == {
        "MEMORY_KIB": measured(RUN, "W5", "ours"),
        "MAX_STREAMS": settings.max_streams,
        "SHARED_A_SECOND": measured(RUN, "W1", "ours"),
        "SINGLE_A_SECOND": measured(RUN, "W3", "ours, inside, 1,000 groups"),
        "OPENED_A_SECOND": measured(RUN, "W4", "ours"),
        "BATCHED_A_SECOND": measured(REST, "W8", "ours, Redis"),
        "SPREAD_OVER": MOST_SPREAD // 1000 * FETCHES_PER_SECOND,
        "EVENTS_A_SECOND": 0.1,
        "BACK_SECONDS": 30,
        "SHARE": 0.5,
        "KEEP_ALIVE_SECONDS": settings.keep_alive_seconds,
        "ROTATE_SECONDS": settings.rotate_seconds,
    }


def test_what_a_process_takes_is_what_was_measured() -> None:
    table = PAGE.path.read_text().partition("## What a process takes")[2]
    rows = dict(
        re.findall(
            r"^\| ([^|]+) \| ([^|]+) \| W[^|]* \|$",
            table.partition("\n## ")[0],
            re.MULTILINE,
        )
    )
    numbers = {
        what: [float(n.replace(",", "")) for n in re.findall(r"\d[\d,.]*", told)]
        for what, told in rows.items()
    }
    assert numbers == {
        "memory of an open page": [measured(RUN, "W5", "ours"), 5],
        "deliveries, one event to 1,000 pages": [
            measured(RUN, "W1", "ours"),
            measured(RUN, "W9", "ours, Redis"),
        ],
        "deliveries, each event to one page": [
            measured(RUN, "W3", "ours, inside, 1,000 groups")
        ],
        "pages opened, or coming back": [
            measured(RUN, "W4", "ours"),
            100,
            measured(RUN, "W6", "ours, Redis"),
        ],
        "publishes over REST, one by one": [
            measured(REST, "W7", "ours"),
            measured(REST, "W7", "ours, Redis"),
        ],
        "publishes over REST, in batches of 500": [
            measured(REST, "W8", "ours"),
            measured(REST, "W8", "ours, Redis"),
        ],
    }


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("1, and {} for the process", OTHERS),
        ("{:,}, as `MAX_STREAMS` says", conf.Settings().max_streams),
        ("{} a second | [a refresh storm]", FETCHES_PER_SECOND),
        ("takes about {:.1f} s of its core", 10_000 / measured(RUN, "W1", "ours")),
        (
            "to one page each {:.1f} s",
            10_000 / measured(RUN, "W3", "ours, inside, 1,000 groups"),
        ),
        ("take {:.0f} s of the whole core", 10_000 / measured(RUN, "W4", "ours")),
        ("nobody waits for more than {:.0f} s", MOST_SPREAD / 1000),
        ("would be {} cores", ceil(10_000 / measured(REST, "W7", "ours, Redis"))),
        ("`HISTORY_SIZE` ({:,})", conf.Settings().history_size),
        ("`HISTORY_SECONDS` ({})", conf.Settings().history_seconds),
        ("five minutes are {:.0f} MB", 10_000 * 30 * 210 / 1e6),
        ("with 1,000 events {:.1f} GB", 10_000 * 1_000 * 210 / 1e9),
        ("connections as Linux has ports for it, {:,}", 60_999 - 32_768 + 1),
        ("at random in {} to", RETRY_MILLISECONDS[0] / 1000),
        ("{:.0f} s; over 10,000 pages", RETRY_MILLISECONDS[1] / 1000),
        ("fetch over at least {:.0f} s", LEAST_SPREAD_OF_ALL / 1000),
        ("ended after {:.0f} minutes", conf.Settings().rotate_seconds / 60),
        ("10,000 deliveries are {:.0f} Mbit/s", 10_000 * 250 * 8 / 1e6),
        ("nchan, which is C in nginx, makes at least {:.1f} times", 1 / ratio("W1")),
    ],
)
def test_what_the_text_says_follows(told: str, number: float) -> None:
    assert told.format(number) in TEXT


def test_the_ring_remembers_a_minute() -> None:
    assert RING_MICROSECONDS == 60_000_000
    assert "the last minute of each group" in TEXT


@PAGE.runs("Redis")
def test_redis_costs_about_what_the_page_says(
    blocks: list[Block], new_redis_server: NewRedisServer
) -> None:
    (code,) = blocks
    redis = new_redis_server()
    redis.start()
    done = subprocess.run(
        [sys.executable, "-c", code.text],
        cwd=ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "SSE_BROKER_URL": redis.url,
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    microseconds, bytes_ = map(int, re.findall(r"\d+", done.stdout))
    (told,) = re.findall(r"that was (\d+) µs and \d+ bytes", TEXT)
    assert int(told) / NOISE < microseconds < int(told) * NOISE
    (told,) = re.findall(r"that was \d+ µs and (\d+) bytes", TEXT)
    assert 0.7 < bytes_ / int(told) < 1.5
    (told,) = re.findall(r"are ([\d,]+) a second, if Redis", TEXT)
    assert abs(int(told.replace(",", "")) - 1e6 / 45) < 500
