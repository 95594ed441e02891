"""Config vars: names, values, sums, and Heroku's words for changes."""

from __future__ import annotations

import pytest

from baton.control import configuration
from baton.control.errors import Invalid


def test_changes_set_and_unset() -> None:
    assert configuration.after({"A": "1", "B": "2"}, {"A": None, "C": "3"}) == {"B": "2", "C": "3"}


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "Ä", "A" * 129, "A=B", "A\n"])
def test_a_name_is_letters_digits_and_underscores(name: str) -> None:
    with pytest.raises(Invalid, match="config var's name"):
        configuration.after({}, {name: "x"})


@pytest.mark.parametrize("name", ["PORT", "DYNO", "HEROKU_APP_NAME", "__A", "LISTEN_FDS"])
def test_names_that_baton_sets_itself_are_reserved(name: str) -> None:
    with pytest.raises(Invalid, match="reserved"):
        configuration.after({}, {name: "x"})


def test_an_add_on_may_set_heroku_names() -> None:
    url = {"HEROKU_POSTGRESQL_AMBER_URL": "postgres://x"}
    assert configuration.after({}, url, ours=True) == url


def test_a_value_without_nul_is_needed() -> None:
    with pytest.raises(Invalid, match="NUL"):
        configuration.after({}, {"A": "x\0y"})


def test_all_together_may_have_64_kilobytes() -> None:
    assert configuration.after({}, {"A": "x" * (65536 - 1)})
    with pytest.raises(Invalid, match="65536"):
        configuration.after({"B": ""}, {"A": "x" * (65536 - 1)})


@pytest.mark.parametrize(
    ("before", "changes", "words"),
    [
        ({}, {"B": "1", "A": "2"}, "Set A, B config vars"),
        ({"A": "1"}, {"A": None}, "Remove A config vars"),
        ({"A": "1"}, {"A": None, "B": "2"}, "Set B config vars and Remove A config vars"),
        ({"A": "1"}, {"A": "1"}, ""),
        ({}, {"A": None}, ""),
    ],
)
def test_a_release_says_what_changed(
    before: dict[str, str], changes: dict[str, str | None], words: str
) -> None:
    assert configuration.description(before, changes) == words


def test_what_the_owner_has_set_wins_over_a_buildpacks_proposal() -> None:
    assert configuration.with_defaults({"A": "mine"}, {"A": "theirs", "B": "theirs"}) == {
        "A": "mine",
        "B": "theirs",
    }
