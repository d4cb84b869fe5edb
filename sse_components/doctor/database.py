"""Whether the tables of the API are there, if it is installed."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import AppConfig, apps
from django.db import Error, connections, router
from django.db.migrations.executor import MigrationExecutor

from sse_components.doctor.findings import Finding, error, ok

SUBJECT = "API tables"
LABEL = "sse_components_api"


def findings() -> Iterator[Finding]:
    """Tell whether there is anything to migrate."""
    try:
        api = apps.get_app_config(LABEL)
    except LookupError:
        return
    try:
        missing = _missing(api)
    except Error as fault:
        yield error(
            SUBJECT,
            f"the database doesn't answer: {fault}".rstrip().rstrip(".") + ".",
            "Start it, or correct DATABASES.",
        )
        return
    if missing:
        yield error(
            SUBJECT,
            f"migrations are missing, from {missing[0]} on.",
            f"Run `manage.py migrate {LABEL}`.",
        )
    else:
        yield ok(SUBJECT, "they are up to date.")


def _missing(api: AppConfig) -> list[str]:
    """Return what has to be applied, also of the apps that it depends on."""
    alias = router.db_for_write(api.get_model("ApiKey"))
    executor = MigrationExecutor(connections[alias])
    newest = executor.loader.graph.leaf_nodes(LABEL)
    plan = executor.migration_plan(newest)
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
