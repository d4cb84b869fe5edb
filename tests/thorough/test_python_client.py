"""A Python client, generated from the document by openapi-python-client, works."""

from __future__ import annotations

import compileall
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server
from tests.thorough.conftest import DOCUMENT

pytestmark = pytest.mark.thorough

PACKAGE = "generated_client"
SECONDS = 60


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the client's package, which can be imported."""
    config = tmp_path / "config.yaml"
    config.write_text("post_hooks: []\n")  # it would format the code
    subprocess.run(
        [
            Path(sys.executable).with_name("openapi-python-client"),
            *("generate", "--path", DOCUMENT, "--config", config),
            *("--output-path", tmp_path / PACKAGE, "--meta", "none"),
            "--fail-on-warning",
        ],
        check=True,
        timeout=SECONDS,
    )
    assert compileall.compile_dir(tmp_path / PACKAGE, quiet=1)
    monkeypatch.syspath_prepend(tmp_path)
    return PACKAGE


# A70
@pytest.mark.timeout(2 * SECONDS)
def test_it_publishes_events_and_reads_a_status(package: str, server: Server) -> None:
    def module(name: str) -> Any:
        return importlib.import_module(f"{package}.{name}")

    models = module("models")
    _, _, key = server.headers["Authorization"].partition(" ")
    client = module("client").AuthenticatedClient(server.url, token=key)
    with client:
        body = models.DataChangedIn.from_dict({"data": {"headline": "Hello"}})
        published = [
            module("api.groups.data_changed").sync(
                "news.updates", client=client, body=body, idempotency_key="first"
            )
            for _ in range(2)
        ]
        assert all(isinstance(one, models.PublishedOut) for one in published)
        assert [one.duplicate for one in published] == [False, True]
        assert len({one.id for one in published}) == 1

        event = models.NotifyEventIn(
            type_="notify", group="news.updates", event_name="tetra:alert"
        )
        batch = module("api.events.publish_events").sync(
            client=client, body=models.BatchIn([event])
        )
        (result,) = batch.results
        assert isinstance(result, models.ResultOut)
        assert result.errors == []

        status = module("api.users.user_status").sync("7", client=client)
        assert isinstance(status, models.StatusOut)
        assert (status.user, status.online, status.last_seen) == ("7", False, None)

        problem = module("api.groups.group_counts").sync("not a group", client=client)
        assert isinstance(problem, models.ProblemOut)
        assert [fault.pointer for fault in problem.errors] == ["/group"]


def test_it_knows_every_frame_of_a_stream(package: str) -> None:
    models = importlib.import_module(f"{package}.models")
    frame = {"type": "stream-close", "reason": "shutdown", "retry": 500}
    closed = models.StreamClose.from_dict(frame)
    assert closed.reason is models.StreamCloseReason.SHUTDOWN
    assert closed.to_dict() == frame
