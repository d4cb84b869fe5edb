"""What clients of streams have in common: how they open, read and leave one."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http.response import HttpResponseBase
from django.test import Client

from sse_components import runtime
from sse_components.asgi import Application
from sse_components.testing import pages
from sse_components.testing.communicator import App, Communicator
from sse_components.testing.frames import ReceivedEvent

SECONDS = 5
"""How long is waited for a frame that should come at once."""


class StreamError(Exception):
    """A stream was refused, or has ended, or what a WebSocket asked for is refused."""

    def __init__(
        self, text: str, status: int = 200, frame: ReceivedEvent | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        """Of the HTTP response; 403 for a WebSocket that wasn't accepted."""
        self.frame = frame
        """What the server said last: a `stream-error` or `stream-close`."""

    @property
    def reason(self) -> str | None:
        """The `condition` or `reason` of the frame, as `forbidden`."""
        data = self.frame.data if self.frame else {}
        return data.get("condition") or data.get("reason")


class StreamOpener(ABC):
    """Opens a stream of a page in `async with`, and iterates over its events."""

    def __init__(
        self,
        *,
        groups: Iterable[str] = (),
        grants: Iterable[str] = (),
        last_event_id: str | None = None,
        user: Any = None,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        path: str | None = None,
        application: App | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """Ask for groups by name, bring grants, come as somebody.

        `last_event_id` is the cursor of one who has been there before. A user gets a
        session of its own. `path` is for another address than that of a page's
        stream. It waits for so many seconds, unless `next` is told otherwise.
        """
        query = [
            *(("grant", grant) for grant in grants),
            *(("group", group) for group in groups),
            *([("last_event_id", last_event_id)] if last_event_id else ()),
        ]
        self._target = f"{path or self._address()}?{urlencode(query)}"
        self._user = user
        self._cookies = dict(cookies or {})
        self._headers = dict(headers or {})
        self._application = application
        self._seconds = seconds
        self._unread: deque[ReceivedEvent] = deque()
        self._ending: StreamError | None = None
        self.received: list[ReceivedEvent] = []
        """Every frame so far, those that were passed over too."""
        self.cursor: str | None = None
        """The last id, with which to come back."""
        self.groups: list[str] = []
        """What it carries, also without having asked for it."""
        self.denied: list[str] = []
        """What it asked for and may not have."""

    @classmethod
    def of(
        cls,
        response: HttpResponseBase,
        *,
        last_event_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        application: App | None = None,
        seconds: float = SECONDS,
    ) -> Self:
        """Open the stream that a page opens which a test client has fetched.

        With the grant, the cursor and the cookies that its browser has.
        """
        page: Any = response  # a test client adds to it
        script = pages.script(page.content.decode(page.charset))
        if script is None:
            raise ValueError(
                "The page opens no stream: it has no component, or no "
                "{% sse_scripts %}."
            )
        if script["data-stream"] == "off":
            raise ValueError(
                "The page opens no stream, as nobody served any when it was "
                "rendered: fetch it within `async with streams()`."
            )
        return cls(
            grants=[script["data-grant"]],
            last_event_id=last_event_id or script["data-cursor"],
            cookies={name: one.value for name, one in page.client.cookies.items()},
            headers=headers,
            application=application,
            seconds=seconds,
        )

    async def __aenter__(self) -> Self:
        if runtime.hub() is None:
            raise RuntimeError(
                "Nobody serves streams: open one within `async with streams()`."
            )
        if self._user is not None:
            self._cookies |= await sync_to_async(_session_of)(self._user)
        application = self._application or Application(ASGIHandler())
        self._messages = Communicator(application, self._scope())
        try:
            async with asyncio.timeout(self._seconds):
                await self._begin()
            opened = await self.next("stream-open")
        except BaseException:
            await self._leave()
            raise
        self.groups = opened.data["groups"]
        self.denied = opened.data["denied"]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leave()

    def __aiter__(self) -> AsyncIterator[ReceivedEvent]:
        return self

    async def __anext__(self) -> ReceivedEvent:
        try:
            return await self.next()
        except StreamError:
            raise StopAsyncIteration from None

    async def next(
        self,
        type: str | None = None,
        *,
        group: str | None = None,
        seconds: float | None = None,
    ) -> ReceivedEvent:
        """Return the next event, of a type and of a group; others are passed over.

        Without a type that is what somebody has published, and not a frame such as
        `keep-alive`. Raises `TimeoutError`, which says what came instead, and
        `StreamError` if the stream ends.
        """
        passed: list[ReceivedEvent] = []
        seconds = self._seconds if seconds is None else seconds
        try:
            async with asyncio.timeout(seconds):
                while True:
                    event = await self._take()
                    is_wanted = type == event.type if type else event.is_published
                    if is_wanted and group in (None, event.group):
                        return event
                    passed.append(event)
        except TimeoutError:
            wanted = " ".join([type or "event", *([f"in {group}"] if group else [])])
            came = "\n".join(["What came:", *(f"  {event}" for event in passed)])
            raise TimeoutError(
                f"No {wanted} came within {seconds} s. "
                f"{came if passed else 'Nothing came.'}"
            ) from None

    @classmethod
    @abstractmethod
    def _address(cls) -> str: ...

    @abstractmethod
    def _scope(self) -> dict[str, Any]: ...

    @abstractmethod
    async def _begin(self) -> None: ...

    @abstractmethod
    async def _read(self) -> list[ReceivedEvent]:
        """Return the frames of the next message; raises `EOFError`."""

    @abstractmethod
    async def _say_goodbye(self) -> None: ...

    def _all_headers(self) -> dict[str, str]:
        cookie = "; ".join(f"{name}={text}" for name, text in self._cookies.items())
        return ({"Cookie": cookie} if cookie else {}) | self._headers

    async def _take(self) -> ReceivedEvent:
        while not self._unread:
            self._unread += await self._receive()
        return self._unread.popleft()

    async def _receive(self) -> list[ReceivedEvent]:
        if self._ending:
            raise self._ending
        try:
            frames = await self._read()
        except EOFError:
            self._ending = StreamError("The stream has ended without a word.")
            raise self._ending from None
        for frame in frames:
            self.received.append(frame)
            self.cursor = frame.id or self.cursor
            if frame.ends:
                self._ending = StreamError(
                    f"The stream has ended: {frame}", frame=frame
                )
        return frames

    async def _leave(self) -> None:
        await self._say_goodbye()
        await self._messages.finished(self._seconds)


def _session_of(user: Any) -> dict[str, str]:
    """Log a user in; return the cookies."""
    browser = Client()
    browser.force_login(user)
    return {name: one.value for name, one in browser.cookies.items()}
