"""The document's schemas, used to look at real JSON."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from api.api import api

Document = dict[str, Any]


def document() -> Document:
    return dict(api.get_openapi_schema())


def validator(schema: object, components: Document) -> Any:
    """Return what validates by a schema that refers to the document's others."""
    return Draft202012Validator({"components": components, "allOf": [schema]})


def strict(components: Document) -> Document:
    """Return components that have no members but those that are described."""
    components = deepcopy(components)
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return components


def faults(schema: object, components: Document, value: object) -> list[str]:
    """Return why a value is not what a schema says."""
    found = validator(schema, components).iter_errors(value)
    return [f"{error.json_path}: {error.message[:500]}" for error in found]
