from __future__ import annotations

import re

import pytest
import yaml

from sse_components import conf
from sse_components.brokers.redis import RedisBroker
from sse_components.hub import Hub
from sse_components.meters import Requests
from sse_components.metrics import Numbers
from tests.docs.pages import Page
from tests.servers import ROOT
from tests.tutorials import Block

PAGE = Page("metrics.md")
ROW = re.compile(r"^\| `(sse_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)


# A77
def test_every_metric_is_in_the_page_with_its_kind_and_its_labels() -> None:
    broker = RedisBroker("redis://127.0.0.1:1/0")
    requests = Requests()
    requests.add("notify", 202, 0.1)
    assert broker.round_trips
    with broker.round_trips.taken(["publish"]):
        pass
    hub = Hub(broker)
    for counts in (
        hub.meters.opened, hub.meters.resumes, hub.meters.resets, hub.meters.slow,
        hub.meters.transitions,
    ):  # fmt: skip
        counts["any"] += 1
    told = {
        name.removesuffix("_total"): (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(PAGE.path.read_text())
    }
    found = {
        family.name: (family.type, set(family.samples[0].labels) - {"le"})
        for family in Numbers(hub, broker, requests).collect()
    }
    assert told == found


@PAGE.runs("# Metrics", "python")
def test_the_setting_is_one(blocks: list[Block]) -> None:
    given: dict[str, object] = {}
    exec(blocks[0].text, given)
    assert conf.load(given["SSE_COMPONENTS"]).metrics == "127.0.0.1:9400"


@PAGE.runs("# Metrics", "sh")
def test_the_extra_is_one(blocks: list[Block]) -> None:
    (extra,) = re.findall(r"\[(\w+)\]", blocks[0].text)
    assert f'\n{extra} = ["prometheus-client"]' in (ROOT / "pyproject.toml").read_text()


@PAGE.runs("# Metrics", "yaml")
def test_the_targets_are_those_of_four_workers(blocks: list[Block]) -> None:
    (job,) = yaml.safe_load(blocks[0].text)["scrape_configs"]
    (static,) = job["static_configs"]
    assert static["targets"] == [f"127.0.0.1:{9400 + n}" for n in range(4)]


@pytest.mark.parametrize("name", ["sse_resets_total", "sse_resumes_total"])
def test_every_reason_is_told(name: str) -> None:
    source = "".join(
        (ROOT / "sse_components" / f"{module}.py").read_text()
        for module in ("hub", "replay")
    )
    meter = name.removeprefix("sse_").removesuffix("_total")
    (row,) = re.findall(rf"^\| `{name}` .*$", PAGE.path.read_text(), re.MULTILINE)
    for reason in re.findall(rf'meters\.{meter}\["(\w+)"', source):
        assert f"`{reason}`" in row
