from __future__ import annotations

import operator
from dataclasses import FrozenInstanceError, asdict
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from sse_components import conf

KEY = "k" * 32


def faults(given: object) -> list[str]:
    with pytest.raises(ImproperlyConfigured) as caught:
        conf.load(given)
    return str(caught.value).splitlines()


def test_nothing_given_is_the_table_of_the_protocol() -> None:
    settings = conf.load({})
    assert settings == conf.Settings()
    for name, value in {
        "broker_url": "memory://",
        "key_prefix": "sse",
        "prefix": "/sse/",
        "public_groups": (),
        "authorize": None,
        "allowed_origins": (),
        "history_size": 1000,
        "history_seconds": 300,
        "group_memory_seconds": 86_400,
        "keep_alive_seconds": 15,
        "rotate_seconds": 900,
        "max_groups": 200,
        "max_streams_per_user": 20,
        "max_streams": 10_000,
        "metrics": "",
        "console": False,
        "grip_url": "",
        "grip_key": "",
        "grip_seconds": 60,
    }.items():
        assert asdict(settings)[name] == value


def test_every_setting_can_be_given() -> None:
    settings = conf.load(
        {
            "BROKER_URL": "rediss://me:s3cret@redis.example:6380/3",
            "KEY_PREFIX": "shop",
            "PREFIX": "/live/",
            "PUBLIC_GROUPS": ["news.*", "shop.**"],
            "AUTHORIZE": operator.contains,
            "ALLOWED_ORIGINS": ["https://app.example.com"],
            "HISTORY_SIZE": 0,
            "HISTORY_SECONDS": 0.5,
            "GROUP_MEMORY_SECONDS": 0.5,
            "KEEP_ALIVE_SECONDS": 20,
            "ROTATE_SECONDS": 600,
            "MAX_GROUPS": 5,
            "MAX_STREAMS_PER_USER": 7,
            "MAX_STREAMS": 6,
            "METRICS": "0.0.0.0:9400",
            "CONSOLE": True,
            "GRIP_URL": "http://pushpin:5561/",
            "GRIP_KEY": KEY,
            "GRIP_SECONDS": 20,
        }
    )
    assert settings.prefix == "/live/"
    assert settings.public_groups == ("news.*", "shop.**")
    assert settings.authorize is operator.contains
    assert settings.allowed_origins == ("https://app.example.com",)
    assert settings.history_size == 0
    assert settings.history_seconds == 0.5
    assert settings.group_memory_seconds == 0.5
    assert settings.keep_alive_seconds == 20
    assert settings.max_groups == 5
    assert settings.max_streams == 6
    assert settings.metrics == "0.0.0.0:9400"
    assert settings.console is True
    assert settings.grip_url == "http://pushpin:5561"
    assert settings.grip_key == KEY
    assert settings.grip_seconds == 20


def test_the_project_s_settings_are_valid() -> None:
    assert conf.load(django_settings.SSE_COMPONENTS).public_groups == ("news.*",)


def test_settings_cannot_be_changed_afterwards() -> None:
    settings: Any = conf.load({})
    with pytest.raises(FrozenInstanceError):
        settings.prefix = "/other/"


def test_lists_are_copied() -> None:
    given = ["news.*"]
    settings = conf.load({"PUBLIC_GROUPS": given})
    given.append("**")
    assert settings.public_groups == ("news.*",)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("PUBLIC_GROUP", "PUBLIC_GROUPS"),
        ("public_groups", "PUBLIC_GROUPS"),
        ("HISTORY_SIZES", "HISTORY_SIZE"),
        ("KEEPALIVE", "KEEP_ALIVE_SECONDS"),
        ("ALLOWED_ORIGIN", "ALLOWED_ORIGINS"),
        ("PREFIXES", "PREFIX"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(key: str, nearest: str) -> None:
    assert faults({key: 1}) == [
        f"SSE_COMPONENTS['{key}'] is not a setting. Did you mean '{nearest}'?"
    ]


@pytest.mark.parametrize("key", ["", "ZZZ", 7, None])
def test_a_key_that_resembles_nothing_is_refused_too(key: object) -> None:
    (fault,) = faults({key: 1})
    assert fault.startswith(f"SSE_COMPONENTS[{key!r}] is not a setting.")


def test_all_faults_are_told_at_once() -> None:
    told = faults({"MAX_GROUPS": "many", "COLOUR": "red", "PREFIX": "sse"})
    assert len(told) == 3
    for name, fault in zip(["MAX_GROUPS", "COLOUR", "PREFIX"], told, strict=True):
        assert fault.startswith(f"SSE_COMPONENTS['{name}']")


BAD: list[tuple[str, list[object]]] = [
    (
        "BROKER_URL",
        ["", "memory", "memory://x", "redis://", "http://localhost", None, 7, []],
    ),
    ("KEY_PREFIX", ["", "a:b", "a b", "x" * 51, None, 7]),
    ("PREFIX", ["", "sse", "/sse", "sse/", "https://a.example/", None, 7]),
    (
        "PUBLIC_GROUPS",
        ["news.*", None, 7, {"news.*"}, [7], [""], ["a b"], ["a.**.b"], ["a\n"]],
    ),
    ("AUTHORIZE", ["", "nowhere", "no.such.module", "operator.nothing", ".a.b", 7, []]),
    ("ALLOWED_ORIGINS", ["https://a.example", None, [7], {"https://a.example"}]),
    ("HISTORY_SIZE", [-1, 1.5, "10", True, None]),
    ("HISTORY_SECONDS", [0, -1, float("nan"), "300", True, None]),
    ("GROUP_MEMORY_SECONDS", [0, -0.5, "86400", False, None]),
    ("KEEP_ALIVE_SECONDS", [0, -15, "15", True, None]),
    ("ROTATE_SECONDS", [0, -900, "900", True, None]),
    ("MAX_STREAMS_PER_USER", [0, -1, 0.5, "20", True, None]),
    ("MAX_GROUPS", [-1, 0.5, "200", True, None]),
    ("MAX_STREAMS", [-1, 0.5, "10000", False, None]),
    (
        "METRICS",
        ["9400", ":9400", "localhost", "a b:9400", "a:0", "a:65536", 9400, None],
    ),
    ("CONSOLE", [1, "yes", None, []]),
    ("GRIP_URL", ["pushpin:5561", "ftp://a", "http://a?b=c", "http://a b", 7, None]),
    ("GRIP_URL", ["http://a:65536", "http://a:0"]),
    ("GRIP_KEY", ["short", KEY.encode(), 7, None]),
    ("GRIP_SECONDS", [0, -1, "60", True, None]),
]


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in BAD for value in values]
)
def test_a_wrong_value_is_refused_with_its_key(key: str, value: object) -> None:
    (fault,) = faults({key: value})
    assert fault.startswith(f"SSE_COMPONENTS['{key}']")


@pytest.mark.parametrize("given", [{"GRIP_URL": "http://a"}, {"GRIP_KEY": KEY}])
def test_a_proxy_needs_an_address_and_a_key(given: dict[str, object]) -> None:
    with pytest.raises(ImproperlyConfigured, match="go together"):
        conf.load(given)


@pytest.mark.parametrize(
    "given", [{"GRIP_KEY": "s3cret"}, {"GRIP_URL": "http://me:s3cret@a"}]
)
def test_what_a_proxy_is_told_in_secret_is_not_repeated(given: dict[str, str]) -> None:
    (fault,) = faults(given)
    assert "s3cret" not in fault


def test_the_password_in_a_broker_s_address_is_not_repeated() -> None:
    (fault,) = faults({"BROKER_URL": "carrier-pigeon://me:s3cret@example.com"})
    assert "s3cret" not in fault


def test_a_group_is_remembered_at_least_as_long_as_its_events() -> None:
    (fault,) = faults({"GROUP_MEMORY_SECONDS": 10, "HISTORY_SECONDS": 11})
    assert "GROUP_MEMORY_SECONDS" in fault
    assert "HISTORY_SECONDS" in fault
    given = {"GROUP_MEMORY_SECONDS": 11, "HISTORY_SECONDS": 11}
    assert conf.load(given).group_memory_seconds == 11


@pytest.mark.parametrize("given", [None, [], "memory://", 7])
def test_the_settings_are_a_dict(given: object) -> None:
    (fault,) = faults(given)
    assert fault.startswith("SSE_COMPONENTS is a dict")


def test_authorize_can_be_the_path_of_a_function() -> None:
    assert conf.load({"AUTHORIZE": "operator.contains"}).authorize is operator.contains
