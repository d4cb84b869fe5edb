"""Measures fan-out: many subscribers of one group, events one by one and 16 at once.

    python -m tests.bench.fanout

starts the project, the plain server of `queues.py` and, where it is installed, nginx
with nchan (Debian: nginx-light, libnginx-mod-nchan) in turn, each on one core with the
load on the other, three times, and prints the medians and ratios. Loopback only; takes
about two minutes.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent.parent
SUBSCRIBERS = 1000
EVENTS = {1: 200, 16: 1600}
"""How many events are published, by how many are under way at a time."""
ROUNDS = 3
SERVERS = ["project.asgi:application", "tests.bench.queues:application"]
GROUP = "/sse/groups/news.updates"
PUBLISH = "/api/v1/groups/news.updates/data-changed"
MARK = b'"headline"'
NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
NGINX = f"""
load_module {NCHAN};
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path body;
  server {{
    listen 127.0.0.1:PORT;
    location = {GROUP} {{
      nchan_subscriber eventsource;
      nchan_channel_id bench;
    }}
    location = {PUBLISH} {{
      nchan_publisher;
      nchan_channel_id bench;
      nchan_message_buffer_length 1000;
    }}
  }}
}}
"""


class Load:
    """Subscribers and publishers on one selector, which is all it does."""

    def __init__(self, port: int, publishers: int) -> None:
        self._selector = selectors.EpollSelector()
        self.delivered = 0
        self._tails: dict[int, bytes] = {}
        head = f"GET {GROUP} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
        head += b"Accept: text/event-stream\r\n\r\n"
        self._streams = [self._connect(port, head) for _ in range(SUBSCRIBERS)]
        self._idle = deque(self._connect(port, b"") for _ in range(publishers))
        self._one_by_one = publishers == 1
        self._fds = {publisher.fileno() for publisher in self._idle}
        body = json.dumps({"data": {"headline": "x" * 60}}).encode()
        self._request = (
            f"POST {PUBLISH} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Authorization: Bearer bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def _connect(self, port: int, head: bytes) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(head)
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ)
        return connection

    def settle(self) -> None:
        """Read until nothing has come for a while."""
        while self._read(0.5):
            pass

    def run(self, events: int) -> float:
        """Publish events, each publisher one at a time; return the seconds it took."""
        wanted, sent = self.delivered, 0
        last = self.delivered + events * SUBSCRIBERS
        start = time.perf_counter()
        while self.delivered < last:
            while self._idle and sent < events:
                if self._one_by_one and self.delivered < wanted:
                    break  # the next event waits until all have had this one
                self._idle.popleft().sendall(self._request)
                sent += 1
                wanted += SUBSCRIBERS
            self._read(10)
            assert time.perf_counter() - start < 60, "the server is too slow or loses"
        return time.perf_counter() - start

    def _read(self, timeout: float) -> int:
        ready = self._selector.select(timeout)
        for key, _ in ready:
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            data = connection.recv(65536)
            assert data, "the server has hung up"
            if key.fd in self._fds:
                self._idle.append(connection)
            else:
                data = self._tails.get(key.fd, b"") + data
                self.delivered += data.count(MARK)
                self._tails[key.fd] = data[-len(MARK) + 1 :]
        return len(ready)

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()


def measure(server: str, publishers: int, folder: Path) -> float:
    """Return deliveries a second of a server that is started for this."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"SSE_API_KEY": "bench", "DEBUG": "0", "SECRET_KEY": "x"}
    environment["ALLOWED_HOSTS"] = "127.0.0.1"
    process = subprocess.Popen(
        ["taskset", "-c", "0", *_command(server, port, folder)],
        cwd=ROOT,
        env=environment,
    )
    try:
        deadline = time.monotonic() + 20
        while not _accepts(port):
            assert time.monotonic() < deadline, f"{server} does not start"
            time.sleep(0.05)
        load = Load(port, publishers)
        load.settle()
        load.run(EVENTS[publishers] // 10)
        seconds = load.run(EVENTS[publishers])
        load.close()
        return EVENTS[publishers] * SUBSCRIBERS / seconds
    finally:
        process.terminate()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:  # the plain server waits for its streams
            process.kill()
            process.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _command(server: str, port: int, folder: Path) -> list[str]:
    if server != "nchan":
        options = ["--log-level", "warning", "--no-access-log"]
        options += ["--timeout-keep-alive", "60", "--port", str(port)]
        return [sys.executable, "-m", "uvicorn", server, *options]
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.replace("PORT", str(port)))
    return ["nginx", "-p", str(folder), "-c", str(configuration)]


def main() -> None:
    os.sched_setaffinity(0, {1})
    servers = SERVERS + (["nchan"] if NCHAN.exists() else [])
    with TemporaryDirectory() as folder:
        for publishers in EVENTS:
            rates: dict[str, list[float]] = {server: [] for server in servers}
            for _ in range(ROUNDS):
                for server in servers:
                    rates[server].append(measure(server, publishers, Path(folder)))
            ours = statistics.median(rates[SERVERS[0]])
            for server in servers:
                rate = statistics.median(rates[server])
                print(f"{publishers:2} in flight  {server:32}", end="")
                print(f"{rate:>10,.0f}/s  ours is {ours / rate:.2f} x")


if __name__ == "__main__":
    main()
