"""docs/deploy.md: its files and commands, with other folders, ports and hosts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import httpx
import pytest
import trustme
import yaml
from websockets.asyncio.client import connect

from api.health import BROKER_SECONDS
from sse_components import conf
from sse_components.asgi import DRAIN_SECONDS
from tests.caddy import running_caddy
from tests.clients import Follower, Stream
from tests.docs.deployed import (
    LIVE,
    READY,
    Dockerfile,
    Machine,
    Running,
    environment_of,
    running,
    service,
    status_of,
    unit_of,
    write_program,
    write_project,
)
from tests.docs.pages import Page
from tests.following import follow
from tests.nginx import configured_nginx
from tests.ports import free_port
from tests.redis_servers import NewRedisServer, RedisServer
from tests.servers import wait_until
from tests.tutorials import Block, dependencies, sections
from tests.wheels import build_wheel

PAGE = Page("deploy.md")
GROUP = "news.updates"
TARGET = f"/sse/groups/{GROUP}"
SECONDS = 10
AT_ONCE = 1
"""Ten times what A64 allows, because the machine may be busy."""
STREAMS = 20
"""More than the six connections that a browser has over HTTP/1.1."""

pytestmark = pytest.mark.timeout(180)


def files() -> dict[str, str]:
    """Return the page's files by the names in their first lines."""
    found = {}
    for section in sections(PAGE.path.read_text()):
        for block in section.blocks:
            if name := re.match(r"# ([\w/.-]*[\w-])(?:, [\w ]+)?\n", block.text):
                found[name[1]] = block.text
    return found


FILES = files()
UNIT = unit_of(FILES["/etc/systemd/system/mysite.service"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def machine(
    tmp_path_factory: pytest.TempPathFactory, wheel: Path, redis_server: RedisServer
) -> Machine:
    """One with the project, its database, and the environment of its service."""
    machine = Machine(
        tmp_path_factory.mktemp("machine"), wheel, FILES["mysite/settings.py"]
    )
    own = FILES["/etc/mysite.env"].replace("example.com", "localhost")
    own = own.replace("redis://127.0.0.1:6379/0", redis_server.url)
    (machine.root / "etc").mkdir()
    (machine.root / "etc/mysite.env").write_text(own)
    machine.environment |= environment_of(own)
    machine.shell(".venv/bin/python manage.py migrate --verbosity 0")
    machine.have("systemctl", 'echo "$@" >> "$HOME/systemctl"')
    return machine


@pytest.fixture
def own_machine(machine: Machine) -> Machine:
    """The same, for a service beside that of the other tests."""
    return machine.at_another_port()


@pytest.fixture
def own_service(own_machine: Machine) -> Iterator[Running]:
    """The service, for a test that ends it."""
    started = service(own_machine, UNIT)
    try:
        started.wait_for(f"{own_machine.url}{LIVE}")
        yield started
        assert "Traceback" not in started.log
    finally:
        started.close()


def key(machine: Machine) -> dict[str, str]:
    return {"Authorization": f"Bearer {machine.environment['SSE_API_KEY']}"}


async def publish(url: str, headers: dict[str, str], trusted: Any = True) -> str:
    async with httpx.AsyncClient(headers=headers, verify=trusted) as client:
        address = f"{url}/api/v1/groups/{GROUP}/data-changed"
        answer = await client.post(address, json={"data": {"headline": "x" * 2000}})
    assert answer.status_code == 202, answer.text
    id: str = answer.json()["id"]
    return id


# Settings, systemd


@PAGE.runs("Settings", "python")
def test_with_these_settings_django_has_nothing_to_say(
    blocks: list[Block], machine: Machine
) -> None:
    (settings,) = blocks
    assert settings.text in (machine.project / "mysite/settings.py").read_text()
    printed = machine.shell(
        ".venv/bin/python manage.py check --deploy --fail-level WARNING"
    )
    assert "(2 silenced)" in printed


@PAGE.runs("systemd")
def test_the_service_starts_as_it_is_told(
    blocks: list[Block], own_machine: Machine, own_service: Running
) -> None:
    _, _, shell, printed = blocks
    commands, curl, ask = own_machine.here(shell.text).partition("curl")
    own = (own_machine.root / "etc/mysite.env").read_text()
    own_machine.without(environment_of(own)).shell(commands)
    told = (own_machine.root / "systemctl").read_text().split("\n")
    assert told[-3:] == ["daemon-reload", "enable --now mysite", ""]
    own_service.wait_for_workers(2)
    answer = own_machine.shell((curl + ask).replace("example.com", "localhost"))
    assert answer.strip() == printed.text.strip().removeprefix("…")


def test_systemd_understands_the_unit(machine: Machine, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        message = "There is no systemd-analyze; Debian's package systemd has it."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    unit = tmp_path / "mysite.service"
    unit.write_text(machine.here(FILES["/etc/systemd/system/mysite.service"]))
    done = subprocess.run(
        [analyze, "verify", unit], capture_output=True, text=True, timeout=SECONDS * 3
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_service_may_open_as_many_files_as_the_doctor_asks_for(
    machine: Machine,
) -> None:
    limit = int(UNIT["LimitNOFILE"])
    assert limit > conf.Settings().max_streams
    doctor = ".venv/bin/python manage.py sse_doctor"
    assert "ok       open files" in machine.shell(f"ulimit -n {limit}; {doctor}")
    few = machine.shell(f"ulimit -n {limit - 1}; {doctor}")
    assert "warning  open files" in few
    assert f"LimitNOFILE={limit}" in few


def test_what_ends_in_order_has_time_to() -> None:
    options = shlex.split(UNIT["ExecStart"])
    seconds = int(options[options.index("--timeout-graceful-shutdown") + 1])
    assert DRAIN_SECONDS < seconds < int(UNIT["TimeoutStopSec"])


async def test_the_service_answers_what_is_slow_and_then_stops(
    own_machine: Machine, own_service: Running
) -> None:
    stream = await Stream.open(own_machine.url + TARGET)
    await stream.until("stream-open")
    async with httpx.AsyncClient(timeout=SECONDS) as client:
        slow = asyncio.create_task(client.get(f"{own_machine.url}/slow?seconds=5"))
        await asyncio.sleep(1)  # it has begun
        own_service.send(signal.SIGTERM)
        farewell = (await stream.until("stream-close"))[-1]
        assert farewell.data["reason"] == "shutdown"
        assert (await slow).text == "done"
    assert await asyncio.to_thread(own_service.process.wait, SECONDS) == 0
    await stream.close()


# One process, or several


@PAGE.runs("One process, or several")
def test_the_doctor_has_nothing_to_say_of_this_redis(
    blocks: list[Block], machine: Machine, new_redis_server: NewRedisServer
) -> None:
    (settings,) = blocks
    options = [
        word
        for line in settings.text.splitlines()[1:]
        for word in shlex.split(f"--{line}")
    ]
    doctor = ".venv/bin/python manage.py sse_doctor"
    redis = new_redis_server(options)
    redis.start()
    assert "warning  broker" not in machine.shell(doctor, REDIS_URL=redis.url)
    with redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    assert "warning  broker" in machine.shell(doctor, REDIS_URL=redis.url)


def test_with_the_embedded_broker_the_service_refuses_a_second_worker(
    own_machine: Machine,
) -> None:
    option = "--timeout-worker-healthcheck"
    assert f"{option} 15" in UNIT["ExecStart"]
    hasty = UNIT["ExecStart"].replace(f"{option} 15", f"{option} 2")
    unit = {**UNIT, "ExecStart": hasty}
    started = service(own_machine, unit, REDIS_URL="memory://")
    try:
        started.process.wait(SECONDS * 3)
        assert "A second worker can't start" in started.log
        assert "'redis://…'" in started.log
    finally:
        started.close()


# Restarting without a gap


@PAGE.runs("Restarting without a gap")
async def test_a_new_version_is_there_without_a_request_that_fails_or_an_event_lost(
    blocks: list[Block], own_machine: Machine, own_service: Running
) -> None:
    (shell,) = blocks
    await asyncio.to_thread(own_service.wait_for_workers, 2)
    settings = own_machine.project / "mysite/settings.py"
    old = settings.read_text().count("VERSION")
    with settings.open("a") as file:
        file.write(f"VERSION = {old + 1}\n")
    versions: list[int] = []
    published = {}
    async with (
        Follower(own_machine.url + TARGET) as follower,
        httpx.AsyncClient(timeout=SECONDS) as client,
    ):
        await asyncio.to_thread(own_machine.shell, own_machine.here(shell.text))
        assert (own_machine.root / "systemctl").read_text().endswith("reload mysite\n")
        pid = str(own_service.process.pid)
        own_machine.shell(UNIT["ExecReload"], MAINPID=pid)
        deadline = time.monotonic() + SECONDS * 4
        # Each request has a connection of its own: another worker may take it.
        while versions[-20:] != [old + 1] * 20:
            assert time.monotonic() < deadline, own_service.log
            answer = await client.get(f"{own_machine.url}/seen", headers=CLOSE)
            versions.append(answer.json()["version"])
            id = await publish(own_machine.url, key(own_machine) | CLOSE)
            published[id] = GROUP
            await asyncio.sleep(0.05)
        await follower.reaches(id)
        follower.assert_complete_or_reset(published)
        assert not follower.types("stream-reset")
    assert versions[0] == old
    assert own_service.stop() == 0


CLOSE = {"Connection": "close"}


# nginx, Caddy, HTTP/2, and the checklist


@dataclass(frozen=True, slots=True)
class Proxy:
    """What stands before the service, and answers as localhost."""

    url: str
    plain_url: str
    authority: Path
    log: Path

    @property
    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)

    @property
    def environment(self) -> dict[str, str]:
        """What makes programs trust it."""
        authority = str(self.authority)
        return {"CURL_CA_BUNDLE": authority, "SSL_CERT_FILE": authority}


@pytest.fixture(scope="module")
def site(machine: Machine) -> Iterator[Running]:
    """The service, with its static files."""
    machine.shell(".venv/bin/python manage.py collectstatic --noinput")
    started = service(machine, UNIT)
    try:
        started.wait_for(f"{machine.url}{LIVE}")
        yield started
        assert started.stop() == 0
        assert "Traceback" not in started.log
        assert "ERROR" not in started.log
    finally:
        started.close()


def nginx(folder: Path, machine: Machine, changed: dict[str, str]) -> Iterator[Proxy]:
    """Run one with the page's two files; `changed` has what is to be another value."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "own.pem")
    port, plain_port = free_port(), free_port()
    text = machine.here(FILES["/etc/nginx/conf.d/mysite.conf"])
    for old, new in {
        "listen 80;": f"listen 127.0.0.1:{plain_port};",
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "/etc/ssl/example.com.pem": "own.pem",
        "/etc/ssl/example.com.key": "own.pem",
        "/var/log/nginx/": "",
        **changed,
    }.items():
        assert old in text
        text = text.replace(old, new)
    http = f"gzip on;\n{text}"  # as Debian has it
    with configured_nginx(folder, http, port, FILES["/etc/nginx/nginx.conf"]):
        yield Proxy(
            f"https://localhost:{port}",
            f"http://localhost:{plain_port}",
            folder / "authority.pem",
            folder / "streams.log",
        )
    errors = (folder / "error.log").read_text()
    assert not re.search(r"\[(error|crit|emerg)\]", errors), errors


def caddy(folder: Path, machine: Machine, changed: dict[str, str]) -> Iterator[Proxy]:
    text = machine.here(FILES["/etc/caddy/Caddyfile"])
    for old, new in {
        "example.com": "localhost",
        "/var/log/caddy": str(folder),
        **changed,
    }.items():
        assert old in text
        text = text.replace(old, new)
    with running_caddy(folder, text) as caddy:
        log = folder / "mysite.log"
        yield Proxy(caddy.url, caddy.plain_url, caddy.authority, log)


PROXIES = {"nginx": nginx, "caddy": caddy}


@pytest.fixture(scope="module", params=list(PROXIES))
def proxy(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    machine: Machine,
    site: Running,
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp(request.param)
    yield from PROXIES[request.param](folder, machine, {})


@PAGE.runs("nginx")
def test_nginx_takes_the_files_of_the_page(
    blocks: list[Block], tmp_path: Path, machine: Machine, site: Running
) -> None:
    assert [block.text for block in blocks] == [
        FILES["/etc/nginx/nginx.conf"],
        FILES["/etc/nginx/conf.d/mysite.conf"],
    ]
    for proxy in nginx(tmp_path, machine, {}):
        with httpx.Client(verify=proxy.trusted) as client:
            assert client.get(f"{proxy.url}{READY}").status_code == 200


@PAGE.runs("Caddy")
def test_caddy_takes_the_file_of_the_page(
    blocks: list[Block], tmp_path: Path, machine: Machine, site: Running
) -> None:
    assert [block.text for block in blocks] == [FILES["/etc/caddy/Caddyfile"]]
    for proxy in caddy(tmp_path, machine, {}):
        with httpx.Client(verify=proxy.trusted) as client:
            assert client.get(f"{proxy.url}{READY}").status_code == 200


# A64
@pytest.mark.alone
async def test_each_frame_is_passed_on_at_once(proxy: Proxy, machine: Machine) -> None:
    start = time.monotonic()
    async with follow(proxy.url + TARGET, trusted=proxy.trusted) as frames:
        await frames.next("stream-open")
        assert time.monotonic() - start < AT_ONCE
        assert "content-encoding" not in frames.headers
        for _ in range(2):
            await frames.next("keep-alive")
            id = await publish(proxy.url, key(machine), proxy.trusted)
            event = await frames.next("component.data_changed", AT_ONCE)
            assert event.id == id


# A64
def test_many_streams_of_one_browser_share_a_connection(proxy: Proxy) -> None:
    counted = "\\nHTTP/%{http_version}, %{num_connects} new\\n"
    done = subprocess.run(
        [
            *["curl", "--silent", "--no-buffer", "--http2", "--parallel"],
            *["--parallel-max", str(STREAMS), "--max-time", "3"],
            *["--write-out", counted, f"{proxy.url}{TARGET}?number=[1-{STREAMS}]"],
        ],
        env=proxy.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS * 2,
    )
    assert done.stdout.count("event: stream-open") == STREAMS
    told = re.findall(r"^HTTP/(\S+), (\d+) new$", done.stdout, re.MULTILINE)
    assert [version for version, _ in told] == ["2"] * STREAMS
    assert sum(int(count) for _, count in told) == 1


async def test_a_websocket_passes(proxy: Proxy) -> None:
    address = f"{proxy.url.replace('https', 'wss')}/sse/ws"
    origin = proxy.url
    async with connect(address, ssl=proxy.trusted, origin=origin) as socket:  # type: ignore[arg-type]
        await socket.send(json.dumps({"type": "subscribe", "groups": [GROUP]}))
        async with asyncio.timeout(SECONDS):
            while json.loads(await socket.recv())["type"] != "keep-alive":
                pass


def test_the_visitors_address_and_scheme_arrive_and_cant_be_made_up(
    proxy: Proxy,
) -> None:
    forged = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "http"}
    transport = httpx.HTTPTransport(verify=proxy.trusted, local_address="127.0.0.2")
    with httpx.Client(transport=transport, headers=forged) as client:
        seen = client.get(f"{proxy.url}/seen").json()
    assert seen["address"] == "127.0.0.2"
    assert seen["is_secure"] is True
    assert seen["host"] == proxy.url.removeprefix("https://")


def test_plain_http_is_sent_to_https_and_static_files_are_there(proxy: Proxy) -> None:
    with httpx.Client(verify=proxy.trusted) as client:
        answer = client.get(f"{proxy.plain_url}/seen")
        assert answer.status_code in (301, 308)
        assert answer.headers["Location"] == "https://localhost/seen"
        answer = client.get(f"{proxy.url}/static/admin/css/base.css")
        assert answer.status_code == 200
        assert answer.headers["Strict-Transport-Security"]
        assert "server" not in answer.headers or "uvicorn" not in str(answer.headers)


async def test_no_grant_is_written_down(proxy: Proxy) -> None:
    target = "/sse/groups/news.nothing"
    url = f"{proxy.url}{target}?grant=secret-1&grant=secret-2"
    async with follow(url, trusted=proxy.trusted) as frames:
        await frames.next("stream-open")
    await asyncio.to_thread(
        wait_until, lambda: proxy.log.exists() and target in proxy.log.read_text()
    )
    assert "secret" not in proxy.log.read_text()


@pytest.mark.parametrize("name", PROXIES)
def test_nor_is_it_while_the_service_is_away(
    name: str, tmp_path: Path, own_machine: Machine
) -> None:
    for proxy in PROXIES[name](tmp_path, own_machine, {}):  # nobody listens behind it
        with httpx.Client(verify=proxy.trusted) as client:
            answer = client.get(f"{proxy.url}/sse/stream?group=news.1&grant=secret-1")
            assert answer.status_code == 502
    logs = [*tmp_path.glob("*.log"), *tmp_path.glob("log")]
    written = {log.name: log.read_text(errors="replace") for log in logs}
    assert any("/sse/stream" in text for text in written.values())
    assert not [log for log, text in written.items() if "secret" in text]


@PAGE.runs("HTTP/2, and why")
def test_the_proxy_speaks_http_2(
    blocks: list[Block], machine: Machine, proxy: Proxy
) -> None:
    shell, printed = blocks
    command = shell.text.replace("https://example.com", proxy.url)
    assert machine.shell(command, **proxy.environment) == printed.text


@PAGE.runs("Checklist")
def test_nothing_is_left_to_do(
    blocks: list[Block], machine: Machine, proxy: Proxy
) -> None:
    shell, printed = blocks
    command = shell.text.replace("https://example.com", proxy.url)
    told = machine.shell(
        f"ulimit -n {UNIT['LimitNOFILE']}\n{command}", **proxy.environment
    )
    parts = map(re.escape, printed.text.strip().split("…"))
    expected = ".*?".join(parts).replace(re.escape("https://example.com"), proxy.url)
    assert re.fullmatch(expected, told.strip(), re.DOTALL), told


async def test_nginx_lets_a_stream_be_silent_between_keep_alives_and_no_longer(
    tmp_path: Path, own_machine: Machine, own_service: Running
) -> None:
    (seconds,) = re.findall(
        r"proxy_read_timeout (\d+)s;", FILES["/etc/nginx/conf.d/mysite.conf"]
    )
    assert int(seconds) == 5 * conf.Settings().keep_alive_seconds
    for proxy in nginx(tmp_path, own_machine, {"timeout 75s": "timeout 2s"}):
        async with follow(proxy.url + TARGET, trusted=proxy.trusted) as frames:
            for _ in range(4):  # one in a second
                await frames.next("keep-alive", 2)
            os.killpg(own_service.process.pid, signal.SIGSTOP)
            try:
                with pytest.raises((EOFError, httpx.RemoteProtocolError)):
                    await frames.next("keep-alive")
            finally:
                os.killpg(own_service.process.pid, signal.SIGCONT)


async def test_nginx_limits_the_streams_of_an_address(
    tmp_path: Path, machine: Machine, site: Running
) -> None:
    for proxy in nginx(
        tmp_path, machine, {"limit_conn streams 200": "limit_conn streams 3"}
    ):
        async with AsyncExitStack() as stack:
            for _ in range(3):
                stream = follow(proxy.url + TARGET, trusted=proxy.trusted)
                await (await stack.enter_async_context(stream)).next("stream-open")
            async with httpx.AsyncClient(verify=proxy.trusted) as client:
                async with client.stream("GET", proxy.url + TARGET) as answer:
                    assert answer.status_code == 503
                assert (await client.get(f"{proxy.url}/seen")).status_code == 200
        break


async def test_caddy_waits_for_streams_as_long_as_it_is_told(
    tmp_path: Path, machine: Machine, site: Running
) -> None:
    text = FILES["/etc/caddy/Caddyfile"].replace("example.com", "localhost")
    text = machine.here(text).replace("/var/log/caddy", str(tmp_path))
    assert "grace_period 10s" in text
    with running_caddy(tmp_path, text.replace("10s", "1s")) as caddy:
        trusted = ssl.create_default_context(cafile=caddy.authority)
        async with follow(caddy.url + TARGET, trusted=trusted) as frames:
            await frames.next("stream-open")
            begun = time.monotonic()
            caddy.process.terminate()
            await asyncio.to_thread(caddy.process.wait, SECONDS)
            assert 1 <= time.monotonic() - begun < 5


# Containers, Kubernetes


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Dockerfile:
    """What the Dockerfile makes, with packages that are here already."""
    folder = tmp_path_factory.mktemp("image")
    programs = folder / "venv/bin"
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    write_program(programs / "uvicorn", f'exec {programs}/python -m uvicorn "$@"')
    write_project(folder / "context", FILES["mysite/settings.py"])
    (folder / "context/requirements.txt").write_text(FILES["requirements.txt"])
    image = Dockerfile(FILES["Dockerfile"], folder / "context", folder / "image")
    image.environment |= {
        "HOME": str(folder),
        "PATH": f"{programs}:/usr/bin:/bin",
        "PIP_FIND_LINKS": str(wheel.parent),
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": str(dependencies(folder)),
    }
    image.build()
    return image


SECRETS = {"SECRET_KEY": "x" * 50, "SSE_API_KEY": "y" * 40}


def has_time_to_stop(command: list[str], seconds: float) -> bool:
    given = int(command[command.index("--timeout-graceful-shutdown") + 1])
    return DRAIN_SECONDS < given < seconds


@PAGE.runs("Containers")
def test_the_containers_start_and_are_healthy(
    blocks: list[Block],
    image: Dockerfile,
    new_redis_server: NewRedisServer,
    tmp_path: Path,
) -> None:
    requirements, dockerfile, compose = blocks
    assert requirements.text == FILES["requirements.txt"]
    assert dockerfile.text == FILES["Dockerfile"]
    services = yaml.safe_load(Template(compose.text).substitute(SECRETS))["services"]
    program, *options = services["redis"]["command"]
    assert program == "redis-server"
    redis = new_redis_server(options)
    redis.start()
    kind, program, *words = services["redis"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "redis-cli")
    with redis.client() as client:
        assert client.execute_command(*words)
        assert client.config_get("maxmemory-policy") == {
            "maxmemory-policy": "noeviction"
        }

    def environment(name: str) -> dict[str, str]:
        own: dict[str, str] = services[name]["environment"]
        assert own["REDIS_URL"] == "redis://redis:6379/0"
        return image.environment | own | {"REDIS_URL": redis.url}

    assert set(services["web"]["depends_on"]) == {"redis", "migrate"}
    subprocess.run(
        services["migrate"]["command"],
        cwd=image.folder,
        env=environment("migrate"),
        check=True,
        capture_output=True,
        timeout=SECONDS * 6,
    )
    web = services["web"]
    assert web["ports"] == [f"127.0.0.1:8000:{image.port}"]
    assert web["ulimits"]["nofile"] == int(UNIT["LimitNOFILE"])
    assert has_time_to_stop(image.command, float(web["stop_grace_period"][:-1]))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    kind, *check = web["healthcheck"]["test"]
    assert kind == "CMD"
    check = [word.replace(":8000", f":{port}") for word in check]

    def is_healthy() -> bool:
        limit = float(web["healthcheck"]["timeout"][:-1])
        done = subprocess.run(
            check, env=environment("web"), capture_output=True, timeout=limit
        )
        return done.returncode == 0

    with running(
        image.started(port),
        image.folder,
        environment("web"),
        tmp_path / "log",
        url + LIVE,
    ):
        assert is_healthy()
        forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
        seen = httpx.get(f"{url}/seen", headers=forwarded).json()
        assert (seen["address"], seen["is_secure"]) == ("192.0.2.7", True)
        script = image.folder / "static/sse_components/manifest.json"
        name = json.loads(script.read_text())["sse-components.js"]
        assert httpx.get(f"{url}/sse/static/{name}").status_code == 200
        redis.kill()
        assert not is_healthy()


@pytest.fixture
def pod(
    image: Dockerfile, new_redis_server: NewRedisServer, tmp_path: Path
) -> Iterator[Pod]:
    """What the Deployment starts, without Kubernetes."""
    redis = new_redis_server()
    redis.start()
    deployment, service, ingress = yaml.safe_load_all(FILES["mysite.yaml"])
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    secret = environment_of(FILES["/etc/mysite.env"])
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["FORWARDED_ALLOW_IPS"] == "10.0.0.0/8"
    environment |= {"FORWARDED_ALLOW_IPS": "127.0.0.0/8", "REDIS_URL": redis.url}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(
        image.started(port),
        image.folder,
        image.environment | secret | environment,
        tmp_path / "log",
        url + LIVE,
    ) as program:
        yield Pod(url, deployment, container, service, ingress, redis, program)


@dataclass(frozen=True, slots=True)
class Pod:
    """One that runs, and what stands in the page's file."""

    url: str
    deployment: Any
    container: Any
    service: Any
    ingress: Any
    redis: RedisServer
    program: Running

    def probe(self, name: str) -> int | None:
        """Ask as the kubelet does; return the status."""
        probe = self.container[name]
        headers = {one["name"]: one["value"] for one in probe["httpGet"]["httpHeaders"]}
        address = self.url + probe["httpGet"]["path"]
        return status_of(address, headers, probe.get("timeoutSeconds", 1))


PROBES = ["startupProbe", "readinessProbe", "livenessProbe"]


@PAGE.runs("Kubernetes")
def test_a_pod_is_ready_and_lives_and_isnt_ready_without_its_broker(
    blocks: list[Block], pod: Pod
) -> None:
    assert [block.text for block in blocks] == [FILES["mysite.yaml"]]
    wait_until(lambda: pod.probe("startupProbe") == 200, SECONDS)
    assert [pod.probe(name) for name in PROBES] == [200, 200, 200]
    assert status_of(f"{pod.url}{LIVE}", {"Host": "10.1.2.3:8000"}) == 400
    forwarded = {
        "Host": "example.com",
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "https",
    }
    seen = httpx.get(f"{pod.url}/seen", headers=forwarded).json()
    assert (seen["address"], seen["is_secure"]) == ("192.0.2.7", True)
    pod.redis.kill()
    assert [pod.probe(name) for name in PROBES] == [200, 503, 200]
    page = {"Host": "example.com"}
    assert httpx.get(f"{pod.url}/seen", headers=page).status_code == 200


def test_the_parts_of_a_pod_fit_together(pod: Pod, image: Dockerfile) -> None:
    spec = pod.deployment["spec"]["template"]["spec"]
    kind, seconds = pod.container["lifecycle"]["preStop"]["exec"]["command"]
    assert kind == "sleep"
    left = spec["terminationGracePeriodSeconds"] - int(seconds)
    assert has_time_to_stop(image.command, left)
    assert pod.container["readinessProbe"]["timeoutSeconds"] > BROKER_SECONDS
    ports = {image.port, pod.container["ports"][0]["containerPort"]}
    ports |= {pod.container[name]["httpGet"]["port"] for name in PROBES}
    (outside,) = pod.service["spec"]["ports"]
    assert ports == {outside["targetPort"]}
    (rule,) = pod.ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {
        "name": pod.service["metadata"]["name"],
        "port": {"number": outside["port"]},
    }
    labels = pod.deployment["spec"]["template"]["metadata"]["labels"]
    assert pod.deployment["spec"]["selector"]["matchLabels"] == labels
    assert pod.service["spec"]["selector"] == labels
    annotations = pod.ingress["metadata"]["annotations"]
    silence = int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"])
    assert silence == 5 * conf.Settings().keep_alive_seconds


async def test_a_pod_that_ends_its_streams_isnt_ready(pod: Pod) -> None:
    port = pod.url.rpartition(":")[2]
    page = {"Host": "example.com"}
    stream = await Stream.open(pod.url + TARGET, page)
    await stream.until("stream-open")
    # It takes no new connections: this request is under way before the signal.
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    path = pod.container["readinessProbe"]["httpGet"]["path"]
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: example.com\r\n"
        "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n".encode()
    )
    async with asyncio.timeout(SECONDS):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        pod.program.send(signal.SIGTERM)
        farewell = (await stream.until("stream-close"))[-1]
        assert farewell.data["reason"] == "shutdown"
        writer.write(b" ")
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    writer.close()
    await stream.close()
    assert await asyncio.to_thread(pod.program.process.wait, SECONDS) == 0


@pytest.mark.parametrize("name", PROXIES)
async def test_behind_it_no_request_fails_while_a_new_version_comes(
    name: str, tmp_path: Path, own_machine: Machine, own_service: Running
) -> None:
    await asyncio.to_thread(own_service.wait_for_workers, 2)
    for proxy in PROXIES[name](tmp_path, own_machine, {}):
        own_machine.shell(UNIT["ExecReload"], MAINPID=str(own_service.process.pid))
        statuses = []
        async with httpx.AsyncClient(verify=proxy.trusted, timeout=SECONDS) as client:
            while own_service.log.count("Finished server process") < 2:
                statuses.append((await client.get(f"{proxy.url}/seen")).status_code)
                await publish(proxy.url, key(own_machine), proxy.trusted)
        assert set(statuses) == {200}
        assert len(statuses) > 20
