from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from baton.cli import git
from baton.cli.errors import GitError
from baton.cli.names import Remote

SERVER = "http://127.0.0.1:5100"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository, and a home of its own for git's global settings."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    place = tmp_path / "shop"
    place.mkdir()
    monkeypatch.chdir(place)
    subprocess.run(["git", "init", "--quiet"], check=True)
    return place


def test_remotes_are_read_by_where_they_push_to(repository: Path) -> None:
    git.set_remote("baton", f"{SERVER}/shop.git")
    git.set_remote("origin", "git@example.org:me/shop.git")
    git.run(["remote", "set-url", "--push", "origin", f"{SERVER}/other.git"])
    assert git.remotes() == (Remote("baton", f"{SERVER}/shop.git"), Remote("origin", f"{SERVER}/other.git"))


def test_a_remote_that_exists_is_pointed_elsewhere(repository: Path) -> None:
    git.set_remote("baton", f"{SERVER}/shop.git")
    git.set_remote("baton", f"{SERVER}/other.git")
    assert git.remotes() == (Remote("baton", f"{SERVER}/other.git"),)


def test_outside_a_repository_there_are_no_remotes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository.parent)
    assert git.remotes() is None
    with pytest.raises(GitError, match="remote"):
        git.set_remote("baton", f"{SERVER}/shop.git")


def test_the_preferred_remote_is_read_from_git(repository: Path) -> None:
    assert git.preferred_remote() is None
    git.run(["config", "baton.remote", "staging"])
    assert git.preferred_remote() == "staging"


def test_git_asks_the_helper_alone_wherever_it_lies(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path with everything a shell would trip over, and another helper that must not be asked."""
    helper = repository.parent / 'it\'s $HOME; a "place"' / "baton"
    helper.parent.mkdir()
    helper.write_text(
        '#!/bin/sh\n[ "$1 $2" = "git:credentials get" ] && echo username=baton && echo password=token\n'
    )
    helper.chmod(0o755)
    everywhere = repository.parent / "asked"
    git.run(
        [
            "config",
            "--global",
            "credential.helper",
            f"!touch '{everywhere}'; echo username=other; echo password=x; :",
        ]
    )
    for _ in range(2):
        for command in git.helper_commands(SERVER, [str(helper)]):
            git.run(command)
    asked = "protocol=http\nhost=127.0.0.1:5100\n\n"
    done = subprocess.run(
        ["git", "credential", "fill"], input=asked, capture_output=True, text=True, check=True
    )
    assert {"username=baton", "password=token"} <= set(done.stdout.split())
    assert not everywhere.exists()


def test_withdrawing_the_password_leaves_nothing(repository: Path) -> None:
    git.offer_password(SERVER)
    git.withdraw_password(SERVER)
    git.withdraw_password(SERVER)
    listed = git.run(["config", "--global", "--list"], accept=(0, 1)).stdout
    assert "helper" not in listed
