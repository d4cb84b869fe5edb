from __future__ import annotations

from pathlib import Path

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from sse_components import ReactiveComponent
from tests.checks.messages import NAME, checked, found
from tests.servers import ROOT


def error() -> CheckMessage:
    (error,) = found()
    assert error.is_serious()
    assert error.obj == NAME
    return error


def test_components_of_one_name_are_an_error_that_says_where_they_are() -> None:
    one = checked(__module__="tests.one")
    type(one.__name__, (one,), {"__module__": "tests.two"})
    (error,) = found()
    assert error.id == "sse_components.E002"
    assert repr(NAME) in error.msg
    assert error.hint
    assert "'tests.one', 'tests.two'" in error.hint


# Templates


def test_a_template_that_is_missing_is_an_error_that_says_where_it_was_looked_for() -> (
    None
):
    checked(template=None, template_name="demo/no_such.html")
    type("Base", (ReactiveComponent,), {"__module__": __name__})
    missing = error()
    assert missing.id == "sse_components.E003"
    assert "'demo/no_such.html'" in missing.msg
    assert missing.hint
    assert "project/demo/templates/demo/no_such.html'" in missing.hint


def test_a_template_that_no_engine_looks_for_is_an_error(settings: Settings) -> None:
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "APP_DIRS": False}]
    checked(template=None, template_name="demo/no_such.html")
    missing = next(one for one in found() if one.obj == NAME)
    assert missing.hint
    assert "no engine" in missing.hint


@pytest.mark.parametrize("by_name", [True, False])
def test_a_template_that_does_not_compile_is_an_error(
    settings: Settings, tmp_path: Path, by_name: bool
) -> None:
    source = "<p>{% no_such_tag %}</p>"
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path]}]
    (tmp_path / "broken.html").write_text(source)
    if by_name:
        checked(template=None, template_name="broken.html")
    else:
        checked(template=source)
    broken = error()
    assert broken.id == "sse_components.E013"
    assert ("'broken.html'" if by_name else "'template'") in broken.msg
    assert "no_such_tag" in broken.msg


OTHER = {"BACKEND": "django.template.backends.dummy.TemplateStrings"}
"""An engine that isn't Django's."""


def test_a_template_without_an_engine_of_djangos_is_an_error(
    settings: Settings,
) -> None:
    settings.TEMPLATES = [OTHER]
    checked()
    broken = next(one for one in found() if one.obj == NAME)
    assert broken.id == "sse_components.E013"
    assert "Components need DjangoTemplates in TEMPLATES." in broken.msg


@pytest.mark.parametrize(
    "members", [{}, {"template": None, "template_name": "demo/ticker.html"}]
)
def test_an_engine_may_have_a_name_and_another_stand_before_it(
    settings: Settings, members: dict[str, object]
) -> None:
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [
        {**OTHER, "APP_DIRS": True},
        {**OTHER, "NAME": "again", "DIRS": [ROOT / "project/demo/templates"]},
        {**engine, "NAME": "another"},
    ]
    checked(**members)
    assert found() == []


def test_a_template_is_looked_for_by_each_engine_of_djangos(
    settings: Settings, tmp_path: Path
) -> None:
    (engine,) = settings.TEMPLATES
    others = {**engine, "APP_DIRS": False}
    settings.TEMPLATES = [
        {**others, "NAME": "one", "DIRS": [tmp_path / "one"]},
        {**others, "NAME": "two", "DIRS": [tmp_path / "two"]},
    ]
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "there.html").write_text("<p></p>")
    checked(template=None, template_name="there.html")
    assert [one for one in found() if one.obj == NAME] == []
    checked(template=None, template_name="nowhere.html", __module__="tests.two")
    missing = next(one for one in found() if "'nowhere.html'" in one.msg)
    assert missing.id == "sse_components.E003"
    assert missing.hint
    for folder in ("one", "two"):
        assert str(tmp_path / folder / "nowhere.html") in missing.hint


# Groups


@pytest.mark.parametrize(
    "name",
    [
        "news.ü",
        "news..a",
        "news.*.a",
        "**",
        "",
        "session.abc",
        "presence.users",
        "auth.user.7",
        "auth.user.*",
        7,
        None,
    ],
)
@pytest.mark.parametrize("attribute", ["subscription", "covers"])
def test_a_name_that_no_component_can_subscribe_to_is_an_error(
    attribute: str, name: object
) -> None:
    checked(**{attribute: ["demo.todo.*", name]})
    wrong = error()
    assert wrong.id == "sse_components.E018"
    assert repr(name) in wrong.msg
    assert repr(attribute) in wrong.msg
    assert wrong.hint


@pytest.mark.parametrize("name", ["news.updates", "session", "user", "broadcast"])
def test_what_is_no_pattern_covers_nothing(name: str) -> None:
    checked(covers=name)
    wrong = error()
    assert wrong.id == "sse_components.E018"
    assert wrong.hint
    assert "'demo.todo.*'" in wrong.hint


def test_a_pattern_covers() -> None:
    checked(covers="demo.todo.*")
    assert found() == []


def test_a_single_name_is_checked_too() -> None:
    checked(subscription="news..a")
    assert "'news..a'" in error().msg


@pytest.mark.parametrize(
    "subscription",
    [
        None,
        "news.updates",
        "demo.todo.*",
        "session",
        "user",
        "broadcast",
        "users",
        ("news.updates", "session"),
        property(lambda component: component.group),
    ],
)
def test_what_a_component_can_subscribe_to_passes(subscription: object) -> None:
    checked(subscription=subscription)
    assert found() == []
