"""docs/doctor.md: on a site with these faults the doctor prints what stands there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from tests.docs.pages import Page
from tests.docs.written import assert_as_written
from tests.nginx import configured_nginx
from tests.ports import free_port
from tests.redis_servers import NewRedisServer
from tests.servers import ROOT, Server
from tests.tutorials import Block

PAGE = Page("doctor.md")
SECONDS = 50

HTTP = """
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate site.pem;
        ssl_certificate_key site.pem;
        location / {{
            proxy_pass {url};
            proxy_ignore_headers X-Accel-Buffering;
        }}
    }}
"""
"""Collects what should be passed on, and lets no WebSocket through."""


@pytest.mark.alone
@pytest.mark.timeout(180)
@PAGE.runs("# The doctor")
def test_the_doctor_prints_what_stands_there(
    blocks: list[Block], tmp_path: Path, new_redis_server: NewRedisServer
) -> None:
    commands, printed = blocks
    redis = new_redis_server(
        ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]
    )
    redis.start()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "site.pem")
    port = free_port()
    address = f"https://127.0.0.1:{port}"
    environment = {
        "SSE_BROKER_URL": redis.url,
        "SSL_CERT_FILE": str(tmp_path / "authority.pem"),
    }
    with Server(tmp_path, environment=environment).running() as server:
        environment["DATABASE_URL"] = server.database_url
        http = HTTP.format(port=port, url=server.url)
        with configured_nginx(tmp_path, http, port):
            first, second = (
                run(line.replace("https://example.com", address), environment)
                for line in commands.text.splitlines()
            )
    written = printed.text.replace("https://example.com", address)
    assert_as_written(written, second.stdout)
    assert second.returncode == 1
    here = written.splitlines()[: len(first.stdout.splitlines())]
    assert_as_written("\n".join(here), first.stdout)
    assert first.returncode == 0
    assert 3 < len(here) < len(written.splitlines())


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    given = {"DJANGO_SETTINGS_MODULE": "project.settings", "PATH": path}
    return subprocess.run(
        ["bash", "-euc", f"ulimit -n $(ulimit -H -n); {command}"],
        cwd=ROOT,
        env=os.environ | environment | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
