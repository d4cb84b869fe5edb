"""A system that calls the API in this process, through the real addresses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.test import AsyncClient

KEY = "sse_tests_not-a-secret"
JSON = "application/json"
PROBLEM = "application/problem+json"
KEYED = {"Authorization": f"Bearer {KEY}"}
SECONDS = 5
"""How long a test waits for an answer that takes reports and sweeps."""


@dataclass(frozen=True)
class Person:
    """A user, and the headers of a browser that is logged in."""

    id: str
    headers: dict[str, str]


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
        self._headers = KEYED if headers is None else headers

    async def get(self, address: str) -> Any:
        """Return what a successful GET returns."""
        return (await self.request("GET", address)).body

    async def until(self, address: str, is_right: Callable[[Any], bool]) -> Any:
        """Return the first answer that is right: nobody announces connections."""
        body: Any = None
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    body = await self.get(address)
                    if is_right(body):
                        return body
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{address} stays {body}") from None

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
