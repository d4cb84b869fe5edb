"""A system that calls the API in this process, through the real addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.test import AsyncClient

KEY = "key-of-the-tests"
JSON = "application/json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        """What a successful call returns."""
        assert self.status < 400, self.text
        assert self.headers["Content-Type"].partition(";")[0] == JSON
        return json.loads(self.text)

    @property
    def id(self) -> str:
        """Of the event that a call has published."""
        assert self.status == 202, self.text
        return str(self.body["id"])

    def problem(self, status: int) -> dict[str, Any]:
        """What a call that fails like that returns."""
        assert self.status == status, self.text
        assert self.headers["Content-Type"] == PROBLEM
        problem: dict[str, Any] = json.loads(self.text)
        assert problem["status"] == status
        assert problem["type"] == "about:blank"
        assert problem["title"]
        assert problem["detail"]
        return problem

    @property
    def pointers(self) -> list[str]:
        """Where a body is invalid."""
        return pointers(self.problem(422)["errors"])


def pointers(errors: list[dict[str, str]]) -> list[str]:
    """Return where a body is invalid, each with a message for people."""
    for error in errors:
        assert error["message"]
        assert not error["message"].startswith("Value error")  # as pydantic begins
    return [error["pointer"] for error in errors]


class System:
    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._client = AsyncClient(raise_request_exception=False)
        self._headers = (
            {"Authorization": f"Bearer {KEY}"} if headers is None else headers
        )

    async def post(self, address: str, body: object, **headers: str) -> Answer:
        """Post JSON, or bytes as they are; headers are given with _ for -."""
        return await self.request("POST", address, body, **headers)

    async def request(
        self, method: str, address: str, body: object = b"", **headers: str
    ) -> Answer:
        response = await self._client.generic(
            method,
            f"/api/v1{address}",
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            JSON,
            headers={
                **self._headers,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        return Answer(response.status_code, response.headers, response.content.decode())
