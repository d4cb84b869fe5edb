"""The OpenAPI document: what Ninja says of the API, said better, and the streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import frames, idempotency, streams
from .auth import DECLARED
from .problems import MEDIA_TYPE, RETRY_AFTER_SECONDS

Described = dict[str, Any]
"""A part of the document."""

DESCRIPTION = """Publish changes to live pages from any system, and see who is there.

What is published to a group arrives at once in every browser that is subscribed to it,
as a server-sent event. Other systems hear it too: the streams take the same API keys,
and go on after the last id that a client has had. Errors are problem details
(RFC 9457)."""

INFO: Described = {
    "summary": "Live pages, fed from any system",
    "license": {"name": "MIT", "identifier": "MIT"},
}
SERVERS = [{"url": "/", "description": "Where this document comes from"}]
TAGS = {
    "groups": "Publish to one group, and see who hears it.",
    "events": "Publish many events at once.",
    "users": "Who is online, and what single users hear.",
    "grants": "Permission to open streams, for clients that have no key.",
    streams.TAG: "Hear what is published, from its last id on.",
    "health": "For supervisors and load balancers.",
}
SECURITY_SCHEMES = {
    "Bearer": "An API key, as a bearer token.",
    "Header": "The same API key, in a header of its own.",
}

PROBLEM = {"$ref": "#/components/schemas/ProblemOut"}

RETRY_AFTER: Described = {
    "Retry-After": {
        "description": "Seconds to wait before trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "examples": [RETRY_AFTER_SECONDS]},
    }
}
WWW_AUTHENTICATE: Described = {
    "WWW-Authenticate": {
        "required": True,
        "schema": {"type": "string", "examples": ["Bearer"]},
    }
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer that many operations share."""

    name: str
    description: str
    title: str
    """By RFC 9110; Python's own depends on its version."""
    detail: str
    pointer: str = ""
    headers: Described | None = None

    def response(self, status: int) -> Described:
        """Return it as the document has it."""
        example: Described = {
            "type": "about:blank",
            "title": self.title,
            "status": status,
            "detail": self.detail,
        }
        if self.pointer:
            message = "Input should be a valid dictionary"
            example["errors"] = [{"pointer": self.pointer, "message": message}]
        response: Described = {"description": self.description}
        if self.headers:
            response["headers"] = self.headers
        content = {MEDIA_TYPE: {"schema": PROBLEM, "example": example}}
        return response | {"content": content}


PROBLEMS = {
    400: Problem(
        "BadRequest",
        "The body is not JSON, or the server doesn't take requests like this one.",
        "Bad Request",
        "Cannot parse request body",
    ),
    401: Problem(
        "Unauthorized",
        "There is no valid API key.",
        "Unauthorized",
        "A valid API key is needed: Authorization: Bearer <key>, or X-API-Key.",
        headers=WWW_AUTHENTICATE,
    ),
    403: Problem(
        "Forbidden",
        "The key lacks the scope, or its patterns don't cover the group.",
        "Forbidden",
        "The patterns of the key don't cover news.updates.",
    ),
    413: Problem(
        "TooLarge",
        "A payload is larger than 64 KiB, or the body than the server takes.",
        "Content Too Large",
        "The payload is 70000 bytes of JSON, and an event carries at most 65536.",
    ),
    422: Problem(
        "Invalid",
        "Something in the request is not valid. The pointers say what: they lead into "
        "the body (RFC 6901), or are a slash and a parameter's name.",
        "Unprocessable Content",
        "The request is not valid.",
        "/data",
    ),
    429: Problem(
        "TooManyRequests",
        "The key has used up its rate.",
        "Too Many Requests",
        "This key has used up its rate.",
        headers=RETRY_AFTER,
    ),
    503: Problem(
        "Unavailable",
        "The broker or the database of keys can't be reached, or the process is about "
        "to stop.",
        "Service Unavailable",
        "The broker can't be reached at the moment.",
        headers=RETRY_AFTER,
    ),
}
"""Of each status, what it means in every operation that may answer it."""

EXAMPLES: Described = {
    "StatusOut": {
        "user": "7",
        "online": True,
        "connections": 2,
        "since": "2026-11-22T08:24:05.130001Z",
        "last_seen": None,
    },
    "ResultOut": {
        "index": 0,
        "group": "news.updates",
        "id": "7f3a9c21:1763799845130001",
        "duplicate": False,
        "errors": [],
    },
}
"""Where the examples of the single members would contradict each other."""


def completed(document: Described) -> Described:
    """Return Ninja's document with what it doesn't know; the rest is as it was."""
    schemas: Described = document["components"]["schemas"]
    for name, example in EXAMPLES.items():
        if name in schemas:
            schemas[name]["examples"] = [example]
    schemas |= frames.schemas()
    used: set[int] = set()
    for operation in _operations(document):
        _say_scope(operation)
        _say_parameters(operation)
        used |= _say_problems(operation)
        _show_bodies(operation, schemas)
    for schema in schemas.values():
        _say_members(schema)
    return {
        "openapi": document["openapi"],
        "info": document["info"] | INFO,
        "servers": SERVERS,
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": document["paths"] | streams.paths(),
        "components": document["components"]
        | {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                name: {**scheme, "description": SECURITY_SCHEMES[name]}
                for name, scheme in document["components"]["securitySchemes"].items()
            },
            "responses": {
                PROBLEMS[status].name: PROBLEMS[status].response(status)
                for status in sorted(used)
            },
        },
    }


def _operations(document: Described) -> Iterator[Described]:
    for path in document["paths"].values():
        yield from path.values()


def _say_scope(operation: Described) -> None:
    """Ninja knows no scopes."""
    if scope := operation.pop(DECLARED, None):
        # Of keys, OpenAPI 3.1 lets a requirement list the roles that they need.
        operation["security"] = [
            {name: [scope] for name in scheme} for scheme in operation["security"]
        ]
        operation["description"] += f"\n\nThe key needs the scope `{scope}`."


def _say_parameters(operation: Described) -> None:
    """Ninja lists examples, which are a mapping here, and has null where none is."""
    for parameter in operation["parameters"]:
        parameter.pop("examples", None)
        schema = parameter["schema"]
        for said_outside in ("title", "description"):
            schema.pop(said_outside, None)
        if (kind := _but_null(schema)) is not None:
            del schema["anyOf"]
            schema |= kind
        if parameter["name"] == idempotency.NAME:
            schema["examples"] = ["invoice-4711-paid"]


def _but_null(schema: Described) -> Described | None:
    """Return what a schema is but for null, if that is one thing."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else None


def _say_members(schema: Described) -> None:
    """Leave to generators what they understand."""
    for member in schema.get("properties", {}).values():
        member.pop("title", None)  # its name again
    if "properties" in schema and "oneOf" in schema:
        # Which of them are required: not a union, for which it is taken.
        schema["if"], schema["then"] = True, {"oneOf": schema.pop("oneOf")}


def _say_problems(operation: Described) -> set[int]:
    """Have all operations share their problems; return the statuses of these."""
    responses = {int(status): one for status, one in operation["responses"].items()}
    for status in responses.keys() & PROBLEMS.keys():
        responses[status] = {"$ref": f"#/components/responses/{PROBLEMS[status].name}"}
    operation["responses"] = {
        str(status): responses[status] for status in sorted(responses)
    }
    return responses.keys() & PROBLEMS.keys()


def _show_bodies(operation: Described, schemas: Described) -> None:
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for body in bodies:
        for content in body.get("content", {}).values():
            content["example"] = _example(content["schema"], schemas)


def _example(schema: Described, schemas: Described) -> Any:
    """Return what a schema shows, or what its parts do."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return _example(schema[word][0], schemas)
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        members = schema["properties"].items()
        return {name: _example(member, schemas) for name, member in members}
    if "items" in schema:
        return [_example(schema["items"], schemas)]
    return {"boolean": False, "integer": 1, "string": "text"}.get(
        schema.get("type", "")
    )
