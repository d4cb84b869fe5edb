"""A TCP proxy in front of Redis, with the faults that a kill doesn't have."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

CALL = b"EVALSHA"
LISTEN = b"SUBSCRIBE"

Lost = Literal["question", "answer"]


@dataclass(eq=False)
class Connection:
    """One that is passed on, as far as faults depend on it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    calls: bool = False
    listens: bool = False
    mute: bool = False
    """Whether it stays open, and passes nothing any more."""

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class FaultyProxy:
    """Passes everything on, apart from the faults that are set."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._connections: set[Connection] = set()
        self._passed = asyncio.Condition()
        self._answers: list[bytes] = []
        self._server: asyncio.Server | None = None
        self.port = 0
        self.losing: Lost | None = None
        """What of the next call gets lost with its connection."""
        self.mutes_new = False
        """Whether those who connect are never told anything."""
        self.muted = asyncio.Event()
        """Set once somebody has met that."""
        self.mutes_listeners = False
        """Whether those who begin to listen are never told anything."""
        self.listening = asyncio.Event()
        """While it isn't set, Redis isn't told who wants to listen."""
        self.heard_of_listeners = asyncio.Event()
        """Set whenever somebody does."""
        self.listening.set()
        self.answering = asyncio.Event()
        """While it isn't set, answers to calls are held."""
        self.answering.set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server
        self.answering.set()
        self.listening.set()
        for connection in self._connections:
            connection.abort()
        self._server.close()
        await self._server.wait_closed()

    def mute_listeners(self) -> None:
        """Have those who listen now hear nothing any more."""
        for connection in self._connections:
            connection.mute = connection.listens

    async def passes(self, text: bytes) -> None:
        """Wait until a client was given a text."""
        async with self._passed:
            await self._passed.wait_for(
                lambda: any(text in answer for answer in self._answers)
            )

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        connection = Connection(writer, back, mute=self.mutes_new)
        if self.mutes_new:
            self.muted.set()
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ask(connection, reader))
                group.create_task(self._answer(connection, there))
        finally:
            self._connections.remove(connection)

    async def _ask(self, connection: Connection, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                connection.calls |= CALL in data
                if LISTEN in data:
                    connection.listens = True
                    connection.mute |= self.mutes_listeners
                    self.heard_of_listeners.set()
                    await self.listening.wait()
                if self.losing == "question" and CALL in data:
                    self.losing = None
                    connection.abort()
                    return
                connection.server.write(data)
                await connection.server.drain()
        connection.server.close()

    async def _answer(
        self, connection: Connection, reader: asyncio.StreamReader
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if connection.mute:
                    continue
                if connection.calls:
                    await self.answering.wait()
                    if self.losing == "answer":
                        self.losing = None
                        connection.abort()
                        return
                connection.client.write(data)
                await connection.client.drain()
                async with self._passed:
                    self._answers.append(data)
                    self._passed.notify_all()
        connection.client.close()
