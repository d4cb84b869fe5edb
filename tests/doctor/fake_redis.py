"""Something like Redis, that says of itself what a test wants."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

STANDALONE = "redis_version:7.2.0\r\nredis_mode:standalone\r\nrole:master\r\n"


class _Server(ThreadingTCPServer):
    about: str
    ahead: float
    delay: float


class _Handler(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        while line := self.rfile.readline():
            words = [self._word() for _ in range(int(line[1:]))]
            time.sleep(self.server.delay)
            self.wfile.write(self._answer(words[0]))

    def _word(self) -> bytes:
        length = int(self.rfile.readline()[1:])
        return self.rfile.read(length + 2)[:-2]

    def _answer(self, command: bytes) -> bytes:
        match command:
            case b"INFO":
                about = self.server.about.encode()
                return b"$%d\r\n%b\r\n" % (len(about), about)
            case b"TIME":
                now = b"%d" % (time.time() + self.server.ahead)
                return b"*2\r\n$%d\r\n%b\r\n$1\r\n0\r\n" % (len(now), now)
            case b"CONFIG":
                return b"-ERR unknown command\r\n"
        return b"+OK\r\n"


@contextmanager
def fake_redis(
    about: str = STANDALONE, *, ahead: float = 0, delay: float = 0
) -> Iterator[str]:
    """Yield its URL. A delay is that of each answer, in seconds."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.about, server.ahead, server.delay = about, ahead, delay
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        finally:
            server.shutdown()
            thread.join()
