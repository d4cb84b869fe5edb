from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.core import checks
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import post_init
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from api.keys import digest, prefix_of
from api.models import ApiKey, Secret

pytestmark = pytest.mark.django_db
KEYS = "/admin/sse_components_api/apikey/"
HOUR = timedelta(hours=1)
SHOWN = re.compile(r'value="(sse_[a-z0-9]{12}_[\w-]{43})"')
SHOP: dict[str, Any] = {
    "name": "shop",
    "scopes": ["publish", "read"],
    "patterns": "news.**\r\n\r\n shop.* \r\n",
    "rate": "2.5",
    "expires_at_0": "2099-01-31",
    "expires_at_1": "18:00:00",
}


@pytest.fixture
def key() -> ApiKey:
    key = ApiKey.objects.create(name="shop", scopes=["read"], patterns=["news.**"])
    key.issue()
    return key


def _address(key: ApiKey, page: str = "change") -> str:
    return f"{KEYS}{key.pk}/{page}/"


def _text(response: Any) -> str:
    assert response.status_code == 200, response
    return str(response.content.decode())


def _shown(response: Any) -> str:
    """Return the one key that a page shows."""
    (text,) = SHOWN.findall(_text(response))
    return str(text)


def _errors(response: Any) -> list[str]:
    lists = re.findall(r'<ul class="errorlist.*?</ul>', _text(response), re.DOTALL)
    return [html.unescape(one) for one in re.findall(r"<li>(.*?)</li>", "".join(lists))]


def _person(*rights: str) -> Client:
    """Return the browser of one of staff who has such rights for keys."""
    user = User.objects.create_user("kim", is_staff=True)
    names = [f"{right}_apikey" for right in rights]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


def _tables() -> str:
    """Return all that the database has, and what is in its sessions."""
    rows: list[Any] = [session.get_decoded() for session in Session.objects.all()]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows += cursor.fetchall()
    return str(rows)


def _rotate(client: Client, key: ApiKey, hours: int) -> Any:
    address = _address(key, "rotate")
    (newest,) = re.findall(r'name="newest" value="(\w*)"', _text(client.get(address)))
    return client.post(address, {"overlap": str(hours), "newest": newest})


def _logged(key: ApiKey) -> list[str]:
    entries = LogEntry.objects.filter(object_id=str(key.pk)).order_by("pk")
    return [entry.get_change_message() for entry in entries]


def test_djangos_checks_find_nothing() -> None:
    # Other tests have components at fault, which stay known.
    assert checks.run_checks(tags=["admin", "models", "templates", "urls"]) == []


# A37
def test_a_new_key_is_shown_in_the_answer_and_kept_as_a_digest(
    admin_client: Client,
) -> None:
    text = _shown(response := admin_client.post(f"{KEYS}add/", SHOP))
    assert "no-store" in response["Cache-Control"]
    key = ApiKey.objects.get()
    assert (key.name, key.rate) == ("shop", 2.5)
    assert (key.scopes, key.patterns) == (["publish", "read"], ["news.**", "shop.*"])
    assert key.expires_at
    assert key.expires_at.isoformat() == "2099-01-31T18:00:00+00:00"
    (secret,) = key.secrets.all()
    assert (secret.prefix, secret.digest) == (prefix_of(text), digest(text))
    assert _address(key) in _text(response)


# A37
def test_a_key_is_not_seen_again_and_stands_nowhere(
    admin_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = [_shown(admin_client.post(f"{KEYS}add/", SHOP))]
    key = ApiKey.objects.get()
    texts.append(_shown(_rotate(admin_client, key, 1)))
    pages = [KEYS, *(_address(key, one) for one in ("change", "history", "rotate"))]
    cookies = [one.OutputString() for one in admin_client.cookies.values()]
    found = [_text(admin_client.get(page)) for page in pages]
    found += [_tables(), caplog.text, *cookies]
    digests = [secret.digest for secret in key.secrets.all()]
    for text in texts:
        secret = text.removeprefix(f"sse_{prefix_of(text)}_")
        assert not any(secret in one for one in found)
    assert not any(digest in page for digest in digests for page in found[: len(pages)])
    assert all(prefix_of(text) in found[1] for text in texts)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"scopes": []}, ["At least one is needed."]),
        ({"patterns": " \r\n"}, ["At least one is needed."]),
        (
            {"patterns": "a..b\r\nauth.user.*\r\nnews"},
            ["'a..b' is not a pattern", "auth.user.* covers nothing"],
        ),
        ({"patterns": "session.0123abc"}, ["never by its key"]),
        ({"rate": "-1"}, ["greater than or equal to 0"]),
        ({"rate": "nan"}, ["Enter a number"]),
        ({"expires_at_0": "2020-01-31"}, ["That is over."]),
        ({"name": ""}, ["This field is required."]),
        ({"name": "taken"}, ["already exists"]),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_nothing_is_made(
    admin_client: Client, changed: dict[str, Any], said: Sequence[str]
) -> None:
    ApiKey.objects.create(name="taken", scopes=["read"], patterns=["**"])
    response = admin_client.post(f"{KEYS}add/", SHOP | changed)
    errors = _errors(response)
    assert len(errors) == len(said)
    for error, part in zip(errors, said, strict=True):
        assert part in error
    (field,) = {name.partition("_at")[0] for name in changed}
    row = rf'class="form-row errors field-{field}'
    assert re.search(row, _text(response))
    assert (ApiKey.objects.count(), Secret.objects.count()) == (1, 0)


def test_what_was_filled_in_stays_when_something_is_wrong(
    admin_client: Client,
) -> None:
    page = _text(admin_client.post(f"{KEYS}add/", SHOP | {"name": ""}))
    assert "news.**\r\n\r\n shop.* " in page
    assert page.count("checked") == 2


def test_a_scope_that_there_is_not_is_refused(admin_client: Client) -> None:
    response = admin_client.post(f"{KEYS}add/", SHOP | {"scopes": ["write"]})
    assert "Select a valid choice" in _errors(response)[0]
    assert not ApiKey.objects.exists()


def test_a_key_is_changed_and_its_secret_stays(
    admin_client: Client, key: ApiKey
) -> None:
    before = list(Secret.objects.values())
    page = _text(admin_client.get(_address(key)))
    assert ">\nnews.**</textarea>" in page
    assert re.findall(r'value="(\w+)"[^>]*checked', page) == ["read"]
    response = admin_client.post(_address(key), SHOP)
    assert response.status_code == 302
    key.refresh_from_db()
    assert (key.scopes, key.patterns) == (["publish", "read"], ["news.**", "shop.*"])
    assert list(Secret.objects.values()) == before
    (logged,) = _logged(key)
    assert "Groups" in logged
    assert "Name" not in logged


def test_an_expired_key_can_be_changed_and_live_again(
    admin_client: Client, key: ApiKey
) -> None:
    key.expires_at = timezone.now().replace(microsecond=0) - HOUR
    key.save()
    end = {
        "expires_at_0": f"{key.expires_at:%Y-%m-%d}",
        "expires_at_1": f"{key.expires_at:%H:%M:%S}",
    }
    assert admin_client.post(_address(key), SHOP | end).status_code == 302
    key.refresh_from_db()
    assert (key.state, key.rate) == ("expired", 2.5)
    assert admin_client.post(_address(key), SHOP).status_code == 302
    key.refresh_from_db()
    assert key.is_valid


@pytest.mark.parametrize("hours", [1, 24, 168])
def test_a_rotation_shows_a_new_key_and_takes_the_old_one_a_while(
    admin_client: Client, key: ApiKey, hours: int
) -> None:
    response = _rotate(admin_client, key, hours)
    text = _shown(response)
    assert "no-store" in response["Cache-Control"]
    new, former = key.secrets.all()
    assert (new.prefix, new.digest) == (prefix_of(text), digest(text))
    assert former.expires_at
    left = former.expires_at - timezone.now()
    assert timedelta(0) < hours * HOUR - left < timedelta(minutes=1)
    end = f"taken until {former.expires_at:%Y-%m-%d %H:%M} UTC"
    assert end in _text(response)
    assert _logged(key) == [f"Rotated. The key before it is {end}."]


def test_without_an_overlap_the_key_before_is_refused_at_once(
    admin_client: Client, key: ApiKey
) -> None:
    response = _rotate(admin_client, key, 0)
    assert key.prefixes == [prefix_of(_shown(response))]
    assert "refused from now on" in _text(response)
    assert _logged(key) == ["Rotated. The key before it is refused."]


def test_a_page_that_is_loaded_again_rotates_nothing_again(
    admin_client: Client, key: ApiKey
) -> None:
    sent = {"overlap": "1", "newest": key.prefixes[0]}
    assert _shown(admin_client.post(_address(key, "rotate"), sent))
    again = admin_client.post(_address(key, "rotate"), sent)
    assert "It was rotated meanwhile" in _errors(again)[0]
    assert key.secrets.count() == 2
    assert _shown(_rotate(admin_client, key, 1))


@pytest.mark.parametrize("overlap", ["", "2", "-1", "x"])
def test_an_overlap_that_there_is_not_is_refused(
    admin_client: Client, key: ApiKey, overlap: str
) -> None:
    sent = {"overlap": overlap, "newest": key.prefixes[0]}
    assert _errors(admin_client.post(_address(key, "rotate"), sent))
    assert key.secrets.count() == 1


def test_an_expired_key_is_not_rotated(admin_client: Client, key: ApiKey) -> None:
    key.expires_at = timezone.now() - HOUR
    key.save()
    assert _address(key, "rotate") not in _text(admin_client.get(_address(key)))
    assert "It has expired" in _errors(_rotate(admin_client, key, 1))[0]
    assert key.secrets.count() == 1


def test_a_key_is_revoked_when_that_is_confirmed(
    admin_client: Client, key: ApiKey
) -> None:
    address = _address(key, "revoke")
    assert address in _text(admin_client.get(_address(key)))
    assert "for good" in _text(admin_client.get(address))
    key.refresh_from_db()
    assert key.is_valid
    response = admin_client.post(address)
    assert response["Location"] == _address(key)
    key.refresh_from_db()
    assert key.state == "revoked"
    assert _logged(key) == ["Revoked."]
    assert "Revoked shop." in _text(admin_client.get(_address(key)))


def test_a_revoked_key_can_only_be_looked_at_and_deleted(
    admin_client: Client, key: ApiKey
) -> None:
    key.revoke()
    page = _text(admin_client.get(_address(key)))
    assert "<textarea" not in page
    assert "news.**" in page
    assert key.prefixes[0] in page
    for name in ("change", "rotate", "revoke"):
        sent = SHOP | {"overlap": "1", "newest": key.prefixes[0]}
        assert admin_client.post(_address(key, name), sent).status_code == 403
        assert name == "change" or _address(key, name) not in page
    assert list(ApiKey.objects.values_list("patterns", "rate")) == [(["news.**"], None)]
    assert key.secrets.count() == 1
    assert (
        admin_client.post(_address(key, "delete"), {"post": "yes"}).status_code == 302
    )
    assert not Secret.objects.exists()


@pytest.fixture
def revoked_meanwhile(key: ApiKey) -> Iterator[None]:
    """Has the key be revoked by somebody else as soon as it is read."""

    def revoke(**_: object) -> None:
        ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())

    post_init.connect(revoke, ApiKey)
    yield
    post_init.disconnect(revoke, ApiKey)


@pytest.mark.usefixtures("revoked_meanwhile")
def test_a_key_that_is_revoked_meanwhile_stays_so(
    admin_client: Client, key: ApiKey
) -> None:
    newest = key.prefixes[0]
    assert admin_client.post(_address(key), SHOP).status_code == 302
    ((patterns, revoked_at),) = ApiKey.objects.values_list("patterns", "revoked_at")
    assert patterns == ["news.**", "shop.*"]
    assert revoked_at
    ApiKey.objects.update(revoked_at=None)
    sent = {"overlap": "1", "newest": newest}
    (error,) = _errors(admin_client.post(_address(key, "rotate"), sent))
    assert error == "shop is revoked, for good."
    assert key.secrets.count() == 1


def test_several_keys_are_revoked_when_that_is_confirmed(
    admin_client: Client, key: ApiKey
) -> None:
    others = [
        ApiKey.objects.create(name=name, scopes=["read"], patterns=["**"])
        for name in ("kiosk", "old", "stays")
    ]
    others[1].revoke()
    chosen = [key, *others[:2]]
    sent = {"action": "revoke_selected", "_selected_action": [one.pk for one in chosen]}
    page = _text(admin_client.post(KEYS, sent))
    assert "Revoke 2 keys" in page
    assert ApiKey.objects.filter(revoked_at=None).count() == 3
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    confirmed: dict[str, list[str]] = {}
    for name, value in hidden:
        confirmed.setdefault(name, []).append(value)
    assert admin_client.post(KEYS, confirmed).status_code == 302
    assert [one.name for one in ApiKey.objects.filter(revoked_at=None)] == ["stays"]
    logged = [_logged(one) for one in (*chosen, others[2])]
    assert logged == [["Revoked."], ["Revoked."], [], []]
    again = admin_client.post(KEYS, sent, follow=True)
    assert "They are revoked already." in _text(again)


def test_the_list_shows_what_each_key_is(admin_client: Client, key: ApiKey) -> None:
    key.rotate(HOUR)
    secret = key.secrets.all()[1]
    secret.last_used_at = timezone.now().replace(year=2031, month=2, day=3)
    secret.save()
    page = _text(admin_client.get(KEYS))
    for shown in ("shop", *key.prefixes, "read", "news.**", "valid", "Feb. 3, 2031"):
        assert shown in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["expired", "revoked", "valid"]),
        ("state=valid", ["valid"]),
        ("state=expired", ["expired"]),
        ("state=revoked", ["revoked"]),
        ("q=vali", ["valid"]),
        ("q={prefix}", ["expired"]),
        ("q=nobody", []),
    ],
)
def test_keys_are_found_by_name_prefix_and_state(
    admin_client: Client, query: str, names: list[str]
) -> None:
    keys = [
        ApiKey.objects.create(name=name, scopes=["read"], patterns=["**"])
        for name in ("expired", "revoked", "valid")
    ]
    for one in keys:
        one.issue()
        one.rotate(HOUR)
    keys[0].expires_at = timezone.now() - HOUR
    keys[0].save()
    keys[1].expires_at = timezone.now() - HOUR
    keys[1].save()
    keys[1].revoke()
    asked = query.format(prefix=keys[0].prefixes[1])
    page = _text(admin_client.get(f"{KEYS}?{asked}"))
    assert re.findall(r'field-name"><a [^>]*>(\w+)</a>', page) == names


def test_the_list_of_many_keys_takes_as_many_queries_as_of_one(
    admin_client: Client, key: ApiKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with CaptureQueriesContext(connection) as of_one:
        admin_client.get(KEYS)
    for number in range(3):
        other = ApiKey.objects.create(name=str(number), scopes=[], patterns=[])
        other.issue()
    with django_assert_num_queries(len(of_one)):
        admin_client.get(KEYS)


@pytest.mark.parametrize(
    ("rights", "answers"),
    [
        ((), {}),
        (("view",), {"": 200, "change": 200}),
        (("change",), {"": 200, "change": 200, "rotate": 200, "revoke": 200}),
        (("add",), {"add": 200}),
        (("delete",), {"delete": 200}),
    ],
)
def test_everybody_has_the_pages_that_they_have_the_rights_for(
    key: ApiKey, rights: Sequence[str], answers: dict[str, int]
) -> None:
    client = _person(*rights)
    own = ("change", "rotate", "revoke", "delete")
    pages = {"": KEYS, "add": f"{KEYS}add/"}
    pages |= {name: _address(key, name) for name in own}
    got = {name: client.get(page).status_code for name, page in pages.items()}
    assert got == dict.fromkeys(pages, 403) | answers


@pytest.mark.parametrize("rights", [(), ("view",), ("add",), ("delete",)])
def test_who_may_not_change_keys_neither_rotates_nor_revokes(
    key: ApiKey, rights: Sequence[str]
) -> None:
    client = _person(*rights)
    sent = {"overlap": "0", "newest": key.prefixes[0]}
    for name in ("rotate", "revoke"):
        assert client.post(_address(key, name), sent).status_code == 403
    action = {"action": "revoke_selected", "_selected_action": [key.pk]}
    client.post(KEYS, action | {"confirmed": "yes"})
    key.refresh_from_db()
    assert key.is_valid
    assert key.secrets.count() == 1
    assert "view" not in rights or "Revoke" not in _text(client.get(KEYS))


def test_who_may_only_add_keys_sees_the_key_and_a_way_out() -> None:
    client = _person("add")
    response = client.post(f"{KEYS}add/", SHOP)
    assert digest(_shown(response)) == Secret.objects.get().digest
    assert f'href="{KEYS}"' not in _text(response)
    assert 'class="closelink" href="/admin/"' in _text(response)


@pytest.mark.parametrize("page", ["rotate", "revoke"])
def test_who_is_not_logged_in_is_asked_to(
    client: Client, key: ApiKey, page: str
) -> None:
    response = client.post(_address(key, page))
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")
    assert key.secrets.count() == 1


@pytest.mark.parametrize("page", ["rotate", "revoke"])
def test_a_foreign_page_changes_no_key(key: ApiKey, page: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    sent = {"overlap": "0", "newest": key.prefixes[0]}
    assert client.post(_address(key, page), sent).status_code == 403
    key.refresh_from_db()
    assert key.is_valid
    assert key.secrets.count() == 1


@pytest.mark.parametrize("page", ["rotate", "revoke"])
@pytest.mark.parametrize("pk", ["7", "x", "1_2F"])
def test_of_a_key_that_there_is_not_there_is_no_page(
    admin_client: Client, page: str, pk: str
) -> None:
    assert admin_client.get(f"{KEYS}{pk}/{page}/").status_code == 404


@pytest.mark.parametrize(("debug", "is_in"), [(True, True), (False, False)])
def test_the_demos_password_opens_the_keys_only_while_debugging(
    client: Client, settings: Settings, debug: bool, is_in: bool
) -> None:
    settings.DEBUG = True
    call_command("seed", verbosity=0)
    settings.DEBUG = debug
    client.post("/admin/login/", {"username": "staff", "password": "staff"})
    assert (client.get(KEYS).status_code == 200) == is_in
    assert client.get("/admin/auth/user/").status_code != 200
