from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from sse_components.doctor import reaching
from sse_components.doctor.address import Address
from sse_components.doctor.findings import Finding, Level
from tests.proxies import Proxy, tls_context


async def _told(url: str) -> Finding:
    """Ask in a thread, because the proxy is on this loop."""

    def ask() -> Finding:
        (finding,) = reaching.findings(Address.of(url))
        return finding

    return await asyncio.to_thread(ask)


@asynccontextmanager
async def _encrypted(authority: Path, *protocols: str) -> AsyncIterator[str]:
    """Yield the address of something that accepts TLS and offers protocols."""
    context = tls_context(authority)
    context.set_alpn_protocols(list(protocols))
    with closing(socket.create_server(("127.0.0.1", 0))) as behind:
        proxy = Proxy(behind.getsockname()[1], context)
        await proxy.start()
        yield f"https://127.0.0.1:{proxy.port}/"
        await proxy.stop()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of an issuer that is trusted."""
    file = tmp_path / "authority.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


async def test_an_address_of_http_2_is_well(authority: Path) -> None:
    async with _encrypted(authority, "h2", "http/1.1") as url:
        finding = await _told(url)
    assert finding.level is Level.OK
    assert "HTTP/2" in finding.text


async def test_an_address_of_http_1_alone_is_a_warning(authority: Path) -> None:
    async with _encrypted(authority, "http/1.1") as url:
        fault = await _told(url)
    assert fault.level is Level.WARNING
    assert "http2 on" in fault.cure


async def test_a_certificate_that_nobody_trusts_is_an_error(tmp_path: Path) -> None:
    async with _encrypted(tmp_path / "unknown.pem", "h2") as url:
        fault = await _told(url)
    assert fault.level is Level.ERROR
    assert fault.subject == "certificate"
    assert "not trusted" in fault.text


async def test_a_certificate_of_another_host_is_an_error(authority: Path) -> None:
    async with _encrypted(authority, "h2") as url:
        fault = await _told(url.replace("127.0.0.1", "localhost"))
    assert fault.level is Level.ERROR
    assert fault.subject == "certificate"
    assert "localhost" in fault.text


async def test_what_speaks_no_tls_is_an_error() -> None:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        fault = await _told(f"https://127.0.0.1:{port}/")
    assert fault.level is Level.ERROR
    assert "no TLS" in fault.text


async def test_without_tls_it_is_http_1() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        finding = await _told(f"http://127.0.0.1:{server.getsockname()[1]}")
    assert finding.level is Level.OK
    assert "without TLS" in finding.text


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "https://nowhere.invalid/"])
async def test_what_can_not_be_reached_is_an_error(url: str) -> None:
    fault = await _told(url)
    assert fault.level is Level.ERROR
    assert "can't be reached" in fault.text


@pytest.mark.parametrize(
    ("url", "origin", "port", "path"),
    [
        ("https://example.com", "https://example.com", 443, ""),
        ("https://example.com:443/", "https://example.com", 443, ""),
        ("HTTP://Example.com:8000/app/", "http://example.com:8000", 8000, "/app"),
        ("http://[::1]:8000/", "http://[::1]:8000", 8000, ""),
    ],
)
def test_an_address_has_the_origin_that_a_browser_says(
    url: str, origin: str, port: int, path: str
) -> None:
    address = Address.of(url)
    assert (address.origin, address.port, address.path) == (origin, port, path)


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://example.com", "https://", "https://a:b@c/", "/x"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no address like"):
        Address.of(url)
