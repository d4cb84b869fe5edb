"""Whether `manage.py runserver` is the one that serves streams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Warning, register
from django.core.management import find_commands

COMMAND: Final = "runserver"
OURS: Final = "sse_components"


@register
def runserver_is_ours(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[CheckMessage]:
    name = next(filter(_has_the_command, apps.get_app_configs())).name
    if name == OURS:
        return []
    hint = f"Move {OURS!r} above {name!r} in INSTALLED_APPS."
    if not name.startswith("django."):
        hint += (
            f" If runserver of {name!r} serves streams too, silence this warning in "
            "SILENCED_SYSTEM_CHECKS."
        )
    return [
        Warning(
            f"manage.py {COMMAND} is the one of {name!r}, and not that of {OURS}, "
            "which serves streams.",
            hint=hint,
            id="sse_components.W031",
        )
    ]


def _has_the_command(app: AppConfig) -> bool:
    return COMMAND in find_commands(str(Path(app.path, "management")))
