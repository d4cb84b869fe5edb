from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from sse_components.edge.control import Control, Rejected, Unpublished
from tests.ports import free_port


class Port(ThreadingHTTPServer):
    """Stands for a control port, and notes what it is told."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.status = 200
        self.told: list[tuple[str, object]] = []
        self.connections: set[object] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Port

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((self.path, json.loads(body)))
        self.server.connections.add(self.client_address)
        answer = b"So be it.\n"
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[Port]:
    server = Port()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["", "/realm/one"])
def test_all_is_published_on_one_connection(port: Port, path: str) -> None:
    control = Control(port.url + path)
    for number in range(3):
        control.publish(json.dumps({"items": [number]}).encode())
    control.close()
    assert port.told == [(f"{path}/publish/", {"items": [n]}) for n in range(3)]
    assert len(port.connections) == 1


def test_what_it_does_not_take_is_told_from_what_it_can_not_take_now(
    port: Port,
) -> None:
    control = Control(port.url)
    port.status = 400
    with pytest.raises(Rejected, match=r"It answers 400: So be it\."):
        control.publish(b"{}")
    port.status = 503
    with pytest.raises(Unpublished, match="It answers 503") as raised:
        control.publish(b"{}")
    assert not isinstance(raised.value, Rejected)
    port.status = 200
    control.publish(b"{}")
    control.close()


def test_where_nobody_listens_nothing_is_published_until_somebody_does() -> None:
    number = free_port()
    control = Control(f"http://127.0.0.1:{number}")
    with pytest.raises(Unpublished, match="ConnectionRefusedError"):
        control.publish(b"{}")
    server = Port(number)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        control.publish(b"{}")
        assert server.told == [("/publish/", {})]
    finally:
        control.close()
        server.shutdown()
        thread.join()
        server.server_close()
