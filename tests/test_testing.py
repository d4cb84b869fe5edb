from __future__ import annotations

import os
import subprocess
import sys

from sse_components import testing
from tests.servers import ROOT

CODE = """
import sys, django
django.setup()
print("sse_components.testing" in sys.modules)
import sse_components.testing
print("pytest" in sys.modules)
"""


def test_the_door_exports() -> None:
    assert testing.__all__ == [
        "CallRefused",
        "Events",
        "PublishedEvent",
        "ReceivedEvent",
        "Rendering",
        "StreamClient",
        "StreamError",
        "WebSocketClient",
        "assert_nothing_published",
        "assert_published",
        "capture_events",
        "render_component",
        "streams",
    ]
    for name in testing.__all__:
        assert getattr(testing, name)


def test_nothing_loads_it_but_tests_and_it_loads_no_pytest() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "project.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["False", "False"], done.stderr
