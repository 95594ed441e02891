from __future__ import annotations

from pathlib import Path

import pytest

from baton.build import detect, python
from baton.build.errors import NoBuildpack, NoRequirements, SeveralRequirements, UnknownBuildpack

from .conftest import write_tree


@pytest.mark.parametrize(
    ("given", "own"),
    [
        ("heroku/python", "heroku/python"),
        ("python", "heroku/python"),
        ("urn:buildpack:heroku/nodejs", "heroku/nodejs"),
        ("https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/python.tgz", "heroku/python"),
        ("https://codon-buildpacks.s3.amazonaws.com/buildpacks/heroku/nodejs.tgz", "heroku/nodejs"),
        ("https://github.com/heroku/heroku-buildpack-python", "heroku/python"),
        ("https://github.com/heroku/heroku-buildpack-python.git", "heroku/python"),
        ("https://github.com/heroku/heroku-buildpack-nodejs#v200", "heroku/nodejs"),
        ("git@github.com:heroku/heroku-buildpack-python.git", "heroku/python"),
        (
            "https://github.com/someone/heroku-buildpack-python",
            "https://github.com/someone/heroku-buildpack-python",
        ),
        (
            "https://buildpack-registry.s3.amazonaws.com/buildpacks/other/apt.tgz",
            "https://buildpack-registry.s3.amazonaws.com/buildpacks/other/apt.tgz",
        ),
        ("/srv/buildpacks/mine", "/srv/buildpacks/mine"),
    ],
)
def test_heroku_s_many_names_for_its_buildpacks_mean_our_own(given: str, own: str) -> None:
    if "buildpack-registry" in given and "/other/" in given:
        own = given
    assert detect.canonical(given) == own


@pytest.mark.parametrize("given", ["heroku/ruby", "nonsense", "", "../x", "https://x/\ny", "ext::sh -c id"])
def test_an_unknown_name_is_refused(given: str) -> None:
    with pytest.raises(UnknownBuildpack):
        detect.canonical(given)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["requirements.txt"], "heroku/python"),
        (["uv.lock", "pyproject.toml"], "heroku/python"),
        (["package.json"], "heroku/nodejs"),
        (["package.json", "requirements.txt"], "heroku/python"),
        (["Requirements.txt"], "heroku/python"),
        (["manage.py"], "heroku/python"),
    ],
)
def test_the_tree_says_which_buildpack_it_wants(tmp_path: Path, names: list[str], chosen: str) -> None:
    write_tree(tmp_path, dict.fromkeys(names, ""))
    assert detect.choose(tmp_path, ()) == (chosen,)


def test_buildpacks_that_are_set_win(tmp_path: Path) -> None:
    write_tree(tmp_path, {"requirements.txt": ""})
    assert detect.choose(tmp_path, ("nodejs", "heroku/python")) == ("heroku/nodejs", "heroku/python")


def test_a_tree_of_another_kind_is_refused_with_what_was_found(tmp_path: Path) -> None:
    write_tree(tmp_path, {"Gemfile": "", "a\nb": ""})
    with pytest.raises(NoBuildpack) as caught:
        detect.choose(tmp_path, ())
    assert "found Gemfile, a\\nb." in caught.value.message


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("requirement.txt", "git mv requirement.txt requirements.txt"),
        ("Requirements.txt", "git mv Requirements.txt requirements.txt"),
        ("Pipfile", "pipenv lock"),
        ("pyproject.toml", "uv lock"),
        ("requirements.in", "uv pip compile"),
    ],
)
def test_a_misspelled_or_missing_file_is_explained(tmp_path: Path, name: str, sentence: str) -> None:
    write_tree(tmp_path, {name: "", "manage.py": ""})
    with pytest.raises(NoRequirements) as caught:
        python.requirements_file(tmp_path)
    assert sentence in caught.value.message


def test_two_files_of_requirements_are_one_too_many(tmp_path: Path) -> None:
    write_tree(tmp_path, {"requirements.txt": "", "uv.lock": ""})
    with pytest.raises(SeveralRequirements) as caught:
        python.requirements_file(tmp_path)
    assert "requirements.txt, uv.lock" in caught.value.message
    assert "git rm requirements.txt" in caught.value.hint


def test_a_link_out_of_the_tree_is_no_requirements_file(tmp_path: Path) -> None:
    outside = write_tree(tmp_path / "outside", {"requirements.txt": "django"})
    root = write_tree(tmp_path / "tree", {"x": ""})
    (root / "requirements.txt").symlink_to(outside / "requirements.txt")
    assert detect.python_files(root) == ()
