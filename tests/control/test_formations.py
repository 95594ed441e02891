"""Quantities and sizes, in Heroku's words; and what a first deploy starts with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from baton.control import formations
from baton.control.errors import Invalid, NotFound
from baton.control.models import App, Formation, Release, Slug
from baton.control.specs import spec_of


def rows(**quantities: int) -> list[Formation]:
    return [Formation(type=kind, quantity=quantity) for kind, quantity in quantities.items()]


@pytest.mark.parametrize(
    ("now", "asked", "wanted"), [(1, 3, 3), (1, "3", 3), (1, "+2", 3), (3, "-1", 2), (1, "0", 0), (1, 0, 0)]
)
def test_a_quantity_is_a_number_or_a_step(now: int, asked: object, wanted: int) -> None:
    assert formations.quantity(now, asked, "web") == wanted


@pytest.mark.parametrize("asked", ["", "x", "1.5", "--1", True, "-2", 101, "99999"])
def test_a_quantity_that_can_not_be_is_refused(asked: object) -> None:
    with pytest.raises(Invalid):
        formations.quantity(1, asked, "web")


def test_scaling_changes_what_is_named_and_nothing_else() -> None:
    found = formations.scaled(
        rows(web=1, worker=0), [{"type": "worker", "quantity": "2", "size": "standard-2x"}]
    )
    assert [(row.type, row.quantity, row.size) for row in found] == [
        ("web", 1, "Basic"),
        ("worker", 2, "Standard-2X"),
    ]


def test_scaling_a_type_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(NotFound) as caught:
        formations.scaled(rows(web=1), [{"type": "worker", "quantity": 1}])
    assert "web" in caught.value.hint and caught.value.code == "not_found"


def test_the_release_type_can_not_be_scaled() -> None:
    with pytest.raises(NotFound):
        formations.scaled(rows(web=1, release=0), [{"type": "release", "quantity": 1}])


def test_an_unknown_size_is_refused_with_those_known() -> None:
    with pytest.raises(Invalid, match="Standard-1X"):
        formations.scaled(rows(web=1), [{"type": "web", "size": "huge"}])


def test_a_first_deploy_starts_one_web_and_nothing_else() -> None:
    found = formations.planned(["web", "worker", "release"], {}, {}, App())
    assert {row.type: row.quantity for row in found} == {"web": 1, "worker": 0, "release": 0}


def test_app_json_is_heard_at_the_first_deploy_and_not_later() -> None:
    wishes = {"web": (2, "Standard-1X"), "worker": (1, "Basic")}
    first = formations.planned(["web", "worker"], {}, wishes, App())
    assert {row.type: (row.quantity, row.size) for row in first} == wishes
    later = formations.planned(["web", "worker"], {"web": first[0]}, wishes, App())
    assert {row.type: row.quantity for row in later} == {"web": 2, "worker": 0}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"formation": {"web": {"quantity": 3, "size": "standard-1x"}}}', {"web": (3, "Standard-1X")}),
        ('{"formation": {"web": {"size": "no such"}}}', {"web": (1, "Basic")}),
        ('{"formation": {"web": {"quantity": 100000}}}', {"web": (100, "Basic")}),
        ('{"formation": ["web"]}', {}),
        ("[]", {}),
        ("not json", {}),
        ("[" * 100_000, {}),
    ],
)
def test_app_json_is_read_whatever_it_holds(
    tmp_path: Path, text: str, wanted: dict[str, tuple[int, str]]
) -> None:
    (tmp_path / "app.json").write_text(text)
    assert formations.wishes(Slug(path=str(tmp_path))) == wanted


def test_a_formation_reads_as_in_herokus_log() -> None:
    assert formations.text(rows(web=2, worker=0, release=0)) == "web@2:Basic worker@0:Basic"


def test_a_spec_has_config_vars_metadata_health_and_singletons(tmp_path: Path) -> None:
    app = App(name="quiet-river", key="0123456789ab", number=7)
    slug = Slug(
        path=str(tmp_path), process_types={"web": "serve", "beat": "tick", "release": "x"}, commit="c" * 40
    )
    release = Release(version=4, slug=slug, description="Deploy cccccccc")
    config = {
        "A": "1",
        "BATON_STOP_FIRST": "beat, bot",
        "BATON_HEALTH_PATH": "/up",
        "BATON_HEALTH_TIMEOUT": "20",
    }
    spec = spec_of(
        app, release, config, rows(web=2, beat=1, release=0), ("www.example.com", "quiet-river.localhost")
    )
    assert [(each.type, each.quantity, each.stop_first) for each in spec.processes] == [
        ("web", 2, False),
        ("beat", 1, True),
    ]
    assert (spec.health.host, spec.health.path, spec.health.timeout) == ("www.example.com", "/up", 20)
    assert spec.env["A"] == "1"
    assert spec.env["HEROKU_RELEASE_VERSION"] == "v4"
    assert spec.env["HEROKU_APP_NAME"] == "quiet-river"
    assert spec.env["HEROKU_SLUG_COMMIT"] == "c" * 40
    assert (spec.uid, spec.slug) == (200_014, str(tmp_path))
    assert json.dumps(spec.to_json())
