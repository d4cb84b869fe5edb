from __future__ import annotations

from base64 import urlsafe_b64encode
from urllib.parse import quote

import pytest
from django.core import signing
from pytest_django import Settings

from sse_components.errors import GrantExpired, GrantInvalid
from sse_components.events import Position
from sse_components.grants import SALT, Grant, Grants, fingerprint, new_cookie
from sse_components.revocations import Whose

POSITION = Position("7f3a9c21", 1763799845123456)
NOW = 1763799845.9
SIGNER = signing.Signer(salt=SALT)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def grants(clock: Clock) -> Grants:
    return Grants(3600, clock)


def text_of(grants: Grants, *groups: str, browser: str | None = None) -> str:
    return grants.issue(groups, Whose(POSITION, "7", browser))[0]


def test_a_grant_comes_back_as_it_was_issued(grants: Grants) -> None:
    whose = Whose(POSITION, user="7", browser="fingerprint", session="h-abc")
    text, expires = grants.issue(
        ["news.b", "news.a", "news.b"], whose, issued=5, bearer=True
    )
    assert expires == int(NOW + 3600)
    assert grants.read(text) == Grant(
        groups=("news.a", "news.b"),
        asked=(),
        whose=whose,
        bearer=True,
        issued=5,
        expires=expires,
    )


def test_a_grant_may_be_nobodys_and_for_nothing(grants: Grants) -> None:
    grant = grants.read(grants.issue([], Whose(POSITION))[0])
    assert grant.groups == ()
    assert grant.whose == Whose(POSITION)
    assert not grant.bearer
    assert grant.issued == int(NOW)


def test_a_grant_tells_what_was_asked_for_by_name(grants: Grants) -> None:
    text, _ = grants.issue(["a", "c", "b"], Whose(POSITION), asked={"c", "b", "other"})
    assert grants.read(text).groups == ("a", "b", "c")
    assert grants.read(text).asked == ("b", "c")
    assert SIGNER.unsign_object(text)["a"] == ["b", "c"]
    assert "a" not in SIGNER.unsign_object(text_of(grants, "news.a"))


def test_a_grant_fits_into_an_address(grants: Grants) -> None:
    text = text_of(grants, *(f"news.{number}" for number in range(200)))
    assert quote(text, safe="-_.:~") == text
    assert len(text) < 2000


# A20
def test_a_grant_is_over_when_its_time_is(grants: Grants, clock: Clock) -> None:
    text, expires = grants.issue(["news.a"], Whose(POSITION))
    clock.now = expires - 0.1
    assert grants.read(text).groups == ("news.a",)
    clock.now = expires
    with pytest.raises(GrantExpired):
        grants.read(text)


# A20
def test_no_character_of_a_grant_can_be_changed(grants: Grants) -> None:
    text = text_of(grants, "news.a")
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(GrantInvalid):
            grants.read(text[:place] + other + text[place + 1 :])


# A20
def test_groups_cannot_be_added_to_a_grant(grants: Grants) -> None:
    signature = text_of(grants, "news.a").partition(":")[2]
    content = SIGNER.unsign_object(text_of(grants, "news.a"))
    content["g"].append("secret.plans")
    body = urlsafe_b64encode(signing.JSONSerializer().dumps(content)).decode()
    with pytest.raises(GrantInvalid):
        grants.read(f"{body.rstrip('=')}:{signature}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "a:b:c",
        ":::",
        "\0",
        "Ünïcode:1:2",
        "\udcff",
        "x" * 60_000,
        SIGNER.sign_object({"g": ["news.a"]}),
        SIGNER.sign_object(["news.a"]),
        SIGNER.sign_object(None),
        SIGNER.sign_object("text"),
        pytest.param(signing.dumps({"g": ["news.a"]}), id="another salt"),
    ],
)
def test_a_text_that_is_not_a_grant_of_ours_is_invalid(
    grants: Grants, text: str
) -> None:
    with pytest.raises(GrantInvalid) as caught:
        grants.read(text)
    assert str(caught.value) == "This is not a grant of ours."


def test_a_grant_of_an_older_secret_key_is_read(
    grants: Grants, settings: Settings
) -> None:
    settings.SECRET_KEY = "before"
    text = text_of(grants, "news.a")
    settings.SECRET_KEY = "now"
    with pytest.raises(GrantInvalid):
        grants.read(text)
    settings.SECRET_KEY_FALLBACKS = ["before"]
    assert grants.read(text).groups == ("news.a",)


# A20
def test_a_bound_grant_is_for_the_browser_with_its_cookie(grants: Grants) -> None:
    cookie = new_cookie()
    grant = grants.read(text_of(grants, browser=fingerprint(cookie)))
    assert grant.is_for(cookie)
    for other in (None, "", new_cookie(), fingerprint(cookie), cookie + "x", "ä"):
        assert not grant.is_for(other)


def test_an_unbound_grant_is_for_every_browser(grants: Grants) -> None:
    grant = grants.read(text_of(grants))
    assert grant.is_for(None)
    assert grant.is_for("anything")


def test_a_cookie_cannot_be_guessed_nor_read_from_a_grant(grants: Grants) -> None:
    cookies = {new_cookie() for _ in range(100)}
    assert len(cookies) == 100
    assert all(len(cookie) == 22 for cookie in cookies)  # 128 bits
    cookie = cookies.pop()
    assert cookie not in fingerprint(cookie)
    assert fingerprint(cookie) == fingerprint(cookie)
    assert fingerprint("\udcff") != fingerprint("ÿ")
