from __future__ import annotations

import pytest

from baton.cli.errors import NoApp, SeveralApps, UsageError
from baton.cli.names import Remote, Target, find

HERE, THERE = "http://127.0.0.1:5100", "https://baton.example.org"
KNOWN = {HERE, THERE}
ORIGIN = Remote("origin", "git@github.com:me/shop.git")
SHOP = Remote("baton", f"{HERE}/shop.git")
STAGING = Remote("staging", f"{THERE}/shop-staging.git")


def found(
    remotes: tuple[Remote, ...] | None = (),
    *,
    app: str | None = None,
    remote: str | None = None,
    preferred: str | None = None,
    **environ: str,
) -> Target:
    return find(app=app, remote=remote, environ=environ, remotes=remotes, known=KNOWN, preferred=preferred)


def test_the_option_wins_over_everything() -> None:
    assert found((SHOP,), app="other", BATON_APP="third") == Target("other")


def test_the_environment_wins_over_the_repository_and_baton_over_heroku() -> None:
    assert found((SHOP,), BATON_APP="other", HEROKU_APP="third") == Target("other")
    assert found((SHOP,), HEROKU_APP="third") == Target("third")


def test_the_only_remote_on_a_known_server_names_app_and_server() -> None:
    assert found((ORIGIN, SHOP)) == Target("shop", HERE)
    assert found((ORIGIN, STAGING)) == Target("shop-staging", THERE)


def test_two_remotes_of_one_app_are_no_question() -> None:
    assert found((SHOP, Remote("heroku", SHOP.url))) == Target("shop", HERE)


def test_a_remote_can_be_chosen_by_name_even_against_the_environment() -> None:
    assert found((SHOP, STAGING), remote="staging", BATON_APP="other") == Target("shop-staging", THERE)
    assert found((SHOP, STAGING), preferred="staging") == Target("shop-staging", THERE)
    assert found((SHOP,), preferred="gone") == Target("shop", HERE)


def test_several_apps_are_listed_with_what_to_type() -> None:
    with pytest.raises(SeveralApps) as caught:
        found((ORIGIN, SHOP, STAGING))
    assert "baton (shop), staging (shop-staging)" in caught.value.message
    assert "--remote baton" in caught.value.hint


@pytest.mark.parametrize(
    ("remotes", "reason"),
    [
        (None, "not in a git repository"),
        ((), "no git remote"),
        ((ORIGIN,), "no git remote"),
        ((Remote("heroku", "https://git.heroku.com/shop.git"),), "no git remote"),
    ],
)
def test_no_app_says_where_it_was_looked_for(remotes: tuple[Remote, ...] | None, reason: str) -> None:
    with pytest.raises(NoApp, match=reason) as caught:
        found(remotes)
    assert "--app" in caught.value.hint


def test_a_remote_that_is_not_there_or_elsewhere_is_refused_without_its_secret() -> None:
    with pytest.raises(UsageError, match="no git remote 'production'"):
        found((SHOP,), remote="production")
    with pytest.raises(UsageError) as caught:
        found((Remote("origin", "https://me:secret@github.com/me/shop.git"),), remote="origin")
    assert "github.com/me/shop.git" in caught.value.message and "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["../x", "a b", "-x", "", "x/y", "a" * 80])
def test_a_name_that_would_change_the_path_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        found((), app=name or " ")
