from __future__ import annotations

import json
from pathlib import Path

import pytest

from baton.build import appjson
from baton.build.appjson import AddOn, EnvVar, Formation
from baton.build.errors import AppJsonError

ROOT = Path(__file__).parents[2]


def test_every_field_is_read() -> None:
    document = {
        "name": "x",
        "env": {
            "A": "1",
            "B": {"description": "d", "required": False},
            "C": {"generator": "secret"},
            "D": {"value": "v"},
        },
        "formation": {"web": {"quantity": 2, "size": "eco"}},
        "addons": [
            "heroku-postgresql:mini",
            {"plan": "heroku-redis", "as": "CACHE", "options": {"version": 7}},
        ],
        "buildpacks": [{"url": "heroku/nodejs"}, {"url": "heroku/python"}],
        "scripts": {"postdeploy": "python manage.py loaddata x", "test": {"command": "pytest"}},
        "something-unknown": [1],
    }
    found = appjson.parse(json.dumps(document))
    assert found.env == (
        EnvVar("A", "1"),
        EnvVar("B", None, "d", required=False),
        EnvVar("C", None, generator="secret"),
        EnvVar("D", "v"),
    )
    assert found.formation == (("web", Formation(2, "eco")),)
    assert found.addons == (
        AddOn("heroku-postgresql:mini"),
        AddOn("heroku-redis", "CACHE", (("version", "7"),)),
    )
    assert found.buildpacks == ("heroku/nodejs", "heroku/python")
    assert found.scripts == (("postdeploy", "python manage.py loaddata x"), ("test", "pytest"))


def test_an_environment_is_laid_over_the_rest() -> None:
    document = {"addons": ["a"], "environments": {"test": {"addons": ["b"]}}}
    assert appjson.parse(json.dumps(document), "test").addons == (AddOn("b"),)
    assert appjson.parse(json.dumps(document)).addons == (AddOn("a"),)


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ("[]", "the file"),
        ("{", "the file"),
        ("[" * 100_000, "the file"),
        ('{"env": []}', "env"),
        ('{"env": {"1A": "x"}}', "env.1A"),
        ('{"env": {"A": 1}}', "env.A"),
        ('{"env": {"A": {"generator": "random"}}}', "env.A.generator"),
        ('{"env": {"A": {"required": "no"}}}', "env.A.required"),
        ('{"formation": {"web": {"quantity": -1}}}', "formation.web.quantity"),
        ('{"formation": {"we b": {}}}', "formation.we b"),
        ('{"buildpacks": ["heroku/python"]}', "buildpacks"),
        ('{"addons": [{"as": "X"}]}', "addons"),
        ('{"name": {}}', "name"),
    ],
)
def test_a_mistake_is_named_with_its_place(document: str, where: str) -> None:
    with pytest.raises(AppJsonError) as caught:
        appjson.parse(document)
    assert f"app.json: {where}: " in caught.value.message


@pytest.mark.parametrize("path", sorted(ROOT.glob("apps/*/app.json")), ids=lambda path: path.parent.name)
def test_the_apps_of_this_repository_have_a_valid_one(path: Path) -> None:
    assert appjson.parse(path.read_text()).buildpacks
