from __future__ import annotations

import pytest

from baton.cli.argv import canonical
from baton.cli.commands import COMMANDS
from baton.cli.errors import UnknownCommand
from baton.cli.registry import application, grammar

GRAMMAR = grammar(application(COMMANDS), COMMANDS)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("config:set A=b", "config:set A=b"),
        ("config set A=b", "config:set A=b"),
        ("config", "config"),
        ("config --json", "config --json"),
        ("CONFIG:SET A=b", "config:set A=b"),
        ("apps:create shop", "create shop"),
        ("apps create shop", "create shop"),
        ("apps:destroy -a shop", "destroy -a shop"),
        ("auth:whoami", "whoami"),
        ("git remote -a shop", "git:remote -a shop"),
        ("ps stop web.1", "ps:stop web.1"),
        ("ps web", "ps web"),
        ("releases output v3", "releases:output v3"),
        ("maintenance on", "maintenance:on"),
        ("-a shop config:set A=b", "config:set -a shop A=b"),
        ("--app shop config set A=b", "config:set --app shop A=b"),
        ("--app=shop config get A", "config:get --app=shop A"),
        ("--json --host http://127.0.0.1:1 apps", "apps --json --host http://127.0.0.1:1"),
        ("help config set", "config:set --help"),
        ("help", "--help"),
        ("--help", "--help"),
        ("-h config:set", "config:set --help"),
        ("", ""),
        ("version", "--version"),
        ("--version", "--version"),
    ],
)
def test_every_spelling_of_a_command_is_the_same_command(typed: str, expected: str) -> None:
    assert canonical(typed.split(), GRAMMAR) == expected.split()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("run bash", "run -- bash"),
        ("run -a shop python manage.py migrate", "run -a shop -- python manage.py migrate"),
        ("-a shop run python manage.py migrate", "run -a shop -- python manage.py migrate"),
        ("run python manage.py migrate -a shop", "run -a shop -- python manage.py migrate"),
        (
            "run python manage.py migrate --app=shop --plan",
            "run --app=shop -- python manage.py migrate --plan",
        ),
        ("run --size Standard-2X -e A=1 ls -l", "run --size Standard-2X -e A=1 -- ls -l"),
        ("run python manage.py dumpdata -a -o x", "run -- python manage.py dumpdata -a -o x"),
        ("run ls -a", "run -- ls -a"),
        ("run -a shop -- ls -a shop", "run -a shop -- ls -a shop"),
        ("run -a shop ls -- -a shop", "run -a shop -- ls -- -a shop"),
        ("run manage.py --help", "run -- manage.py --help"),
        ("run --help", "run --help --"),
        ("run:detached worker", "run:detached -- worker"),
        ("run detached worker", "run:detached -- worker"),
    ],
)
def test_a_program_keeps_its_own_options(typed: str, expected: str) -> None:
    assert canonical(typed.split(), GRAMMAR) == expected.split()


@pytest.mark.parametrize(
    ("typed", "likely"),
    [
        ("confg:set A=b", "baton config:set"),
        ("config:sett A=b", "baton config:set"),
        ("config sett A=b", "baton config:set"),
        ("relases", "baton releases"),
        ("buildpack:add heroku/python", "baton buildpacks:add"),
        ("dstroy", "baton destroy"),
        ("ps:scal web=1", "baton ps:scale"),
        ("maintenance of", "baton maintenance:off"),
    ],
)
def test_a_misspelled_command_is_told_what_it_may_mean(typed: str, likely: str) -> None:
    with pytest.raises(UnknownCommand) as caught:
        canonical(typed.split(), GRAMMAR)
    assert likely in caught.value.hint


def test_a_word_like_no_command_is_pointed_to_the_help() -> None:
    with pytest.raises(UnknownCommand) as caught:
        canonical(["xyzzy"], GRAMMAR)
    assert "baton --help" in caught.value.hint
