"""What a push means, from git's lines."""

from __future__ import annotations

import pytest

from baton.control import refs
from baton.control.errors import Invalid

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40


def updates(*lines: tuple[str, str, str]) -> list[refs.Update]:
    return refs.parse("".join(f"{old} {new} {ref}\n" for old, new, ref in lines))


@pytest.mark.parametrize("branch", ["main", "master"])
def test_a_push_to_main_or_master_deploys(branch: str) -> None:
    plan = refs.plan(updates((ZERO, A, f"refs/heads/{branch}")))
    assert plan.deploy is not None and plan.deploy.new == A and plan.notices == ()


def test_a_push_to_another_branch_is_stored_and_says_how_to_deploy_it() -> None:
    plan = refs.plan(updates((ZERO, A, "refs/heads/feature/x")))
    assert plan.deploy is None
    assert "feature/x:main" in plan.notices[0] and "not deployed" in plan.notices[0]


def test_a_tag_is_stored_beside_a_deploy() -> None:
    plan = refs.plan(updates((ZERO, A, "refs/heads/main"), (ZERO, B, "refs/tags/v1")))
    assert plan.deploy is not None and plan.deploy.new == A
    assert plan.notices == ("v1 is stored and not deployed.",)


def test_main_and_master_at_one_commit_are_one_deploy() -> None:
    plan = refs.plan(updates((ZERO, A, "refs/heads/main"), (ZERO, A, "refs/heads/master")))
    assert plan.deploy is not None and plan.deploy.new == A


def test_main_and_master_at_two_commits_are_refused() -> None:
    with pytest.raises(Invalid, match="at once"):
        refs.plan(updates((ZERO, A, "refs/heads/main"), (ZERO, B, "refs/heads/master")))


@pytest.mark.parametrize("branch", ["main", "master"])
def test_what_is_deployed_from_can_not_be_deleted(branch: str) -> None:
    with pytest.raises(Invalid, match="can't be deleted"):
        refs.plan(updates((A, ZERO, f"refs/heads/{branch}")))


def test_another_branch_can_be_deleted() -> None:
    plan = refs.plan(updates((A, ZERO, "refs/heads/old")))
    assert plan.deploy is None and "deleted" in plan.notices[0]


@pytest.mark.parametrize(
    "text", ["nonsense\n", f"{A} {B}\n", f"{A} {B} heads/main\n", f"{A} xyz refs/heads/main\n"]
)
def test_what_git_would_not_say_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        refs.parse(text)


def test_the_number_of_refs_is_bounded() -> None:
    with pytest.raises(Invalid, match="2001"):
        updates(*((ZERO, A, f"refs/tags/t{n}") for n in range(2001)))
