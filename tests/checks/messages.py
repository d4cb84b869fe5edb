"""What the checks say, and a component for them to find."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, run_checks

from sse_components import ReactiveComponent

NAME = "tests.Checked"


def found(*, deploy: bool = False) -> list[CheckMessage]:
    """Return our messages."""
    messages = run_checks(include_deployment_checks=deploy)
    return [one for one in messages if str(one.id).startswith("sse_components.")]


def checked(**members: Any) -> type[ReactiveComponent]:
    """Register a component, which is one that passes but for the members given."""
    others = {"__module__": __name__, "template": "<p></p>"}
    return type(NAME.partition(".")[2], (ReactiveComponent,), others | members)
