from __future__ import annotations

from io import BytesIO

import pytest
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from sse_components.hosts import host_of, is_foreign

SERVER = ("10.0.0.5", 8000)


def django_says(headers: dict[str, str], server: tuple[str, int] | None) -> str | None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/sse/stream",
        "scheme": "http",
        "query_string": b"",
        "headers": [
            (name.encode(), value.encode("latin-1")) for name, value in headers.items()
        ],
        "server": server,
    }
    try:
        return ASGIRequest(scope, BytesIO()).get_host()
    except DisallowedHost:
        return None


def we_say(headers: dict[str, str], server: tuple[str, int] | None) -> str | None:
    try:
        return host_of(headers, server)
    except DisallowedHost:
        return None


@pytest.mark.parametrize(
    ("host", "accepted"),
    [
        ("example.com", True),
        ("example.com:8000", True),
        ("EXAMPLE.com", True),
        ("example.com.", True),
        ("api.example.org", True),
        ("example.org", True),
        ("[::1]", True),
        ("[::1]:8000", True),
        ("www.example.com", False),
        ("example.com.evil.example", False),
        ("evilexample.org", False),
        ("example.com,evil.example", False),
        ("example.com@evil.example", False),
        ("example.com:80:80", False),
        ("example.com/", False),
        ("::1", False),
        (" ", False),
        ("127.0.0.1", False),
    ],
)
def test_the_host_header_is_accepted_as_django_would(
    settings: Settings, host: str, accepted: bool
) -> None:
    settings.ALLOWED_HOSTS = ["example.com", ".example.org", "[::1]"]
    answer = we_say({"host": host}, SERVER)
    assert answer == (host if accepted else None)
    assert answer == django_says({"host": host}, SERVER)


@given(
    st.text("exampl.com:[]018@/ ,é", max_size=16)
    | st.builds("{}{}".format, st.just("example.com"), st.text(":0123456789.a"))
)
def test_any_host_header_is_answered_as_by_django(host: str) -> None:
    headers = {"host": host} if host else {}
    with override_settings(ALLOWED_HOSTS=[".example.com", "[::1]", "10.0.0.5"]):
        assert we_say(headers, SERVER) == django_says(headers, SERVER)


@pytest.mark.parametrize("host", ["example.com", "a b", "example.com/", ":80", "a,b"])
def test_where_all_hosts_are_allowed_nonsense_is_not(
    settings: Settings, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    answer = we_say({"host": host}, SERVER)
    assert answer == (host if host == "example.com" else None)
    assert answer == django_says({"host": host}, SERVER)


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    "host", ["localhost:8000", "a.localhost", "127.0.0.1:80", "[::1]", "example.com"]
)
def test_without_allowed_hosts_only_debug_accepts_this_machine(
    settings: Settings, host: str, debug: bool
) -> None:
    settings.ALLOWED_HOSTS = []
    settings.DEBUG = debug
    accepted = debug and host != "example.com"
    assert we_say({"host": host}, SERVER) == (host if accepted else None)
    assert django_says({"host": host}, SERVER) == (host if accepted else None)


@pytest.mark.parametrize("used", [True, False])
@pytest.mark.parametrize("forwarded", ["example.com", "evil.example"])
def test_a_forwarded_host_counts_only_if_the_project_uses_it(
    settings: Settings, forwarded: str, used: bool
) -> None:
    settings.ALLOWED_HOSTS = ["example.com", "inner"]
    settings.USE_X_FORWARDED_HOST = used
    headers = {"host": "inner", "x-forwarded-host": forwarded}
    expected = forwarded if used else "inner"
    answer = None if expected == "evil.example" else expected
    assert we_say(headers, SERVER) == answer
    assert django_says(headers, SERVER) == answer


@pytest.mark.parametrize(
    ("server", "host"),
    [
        (("10.0.0.5", 8000), "10.0.0.5:8000"),
        (("10.0.0.5", 80), "10.0.0.5"),
        (("elsewhere", 80), None),
        (None, "unknown:0"),
    ],
)
def test_without_a_host_header_the_server_s_address_counts(
    settings: Settings, server: tuple[str, int] | None, host: str | None
) -> None:
    settings.ALLOWED_HOSTS = ["10.0.0.5", "unknown"]
    assert we_say({}, server) == host
    assert django_says({}, server) == host


# A26
@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://example.com", "example.com"),
        ("https://example.com", "example.com"),
        ("https://example.com", "example.com:443"),
        ("https://example.com:443", "example.com"),
        ("http://example.com:80", "example.com"),
        ("http://example.com:8000", "example.com:8000"),
        ("https://EXAMPLE.com", "example.COM"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://[::1]", "[::1]"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
    ],
)
def test_a_page_of_the_same_host_is_not_foreign(origin: str, host: str) -> None:
    assert not is_foreign(origin, host)


# A26
@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "example.com"),
        ("https://www.example.com", "example.com"),
        ("https://example.com", "www.example.com"),
        ("https://example.com.evil.example", "example.com"),
        ("https://evilexample.com", "example.com"),
        ("https://example.com@evil.example", "example.com"),
        ("https://evil.example/example.com", "example.com"),
        ("https://evil.example?example.com", "example.com"),
        ("https://evil.example#example.com", "example.com"),
        ("http://example.com:8001", "example.com:8000"),
        ("http://example.com", "example.com:8000"),
        ("http://example.com:8000", "example.com"),
        ("https://example.com:80", "example.com"),
        ("http://example.com", "example.com:443"),
        ("http://127.0.0.1:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::2]:8000"),
        ("null", "example.com"),
        ("", "example.com"),
        ("example.com", "example.com"),
        ("file://", "example.com"),
        ("http://[::1", "[::1]"),
        ("http://example.com:port", "example.com"),
        ("http://example.com:99999", "example.com"),
    ],
)
def test_a_page_of_any_other_host_is_foreign(origin: str, host: str) -> None:
    assert is_foreign(origin, host)


# A66
@given(st.text(st.characters(max_codepoint=255)) | st.text(":/[]@?#.a1%", max_size=12))
def test_no_nonsense_is_taken_for_a_page_of_ours(origin: str) -> None:
    assert is_foreign(origin, "example.com:8000")
    assert is_foreign(f"http://{origin}", "example.com:8000")
