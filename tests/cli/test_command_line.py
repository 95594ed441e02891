"""The command as it is typed: a process of its own, with nothing configured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from baton.cli import reference
from baton.cli.commands import COMMANDS

ROOT = Path(__file__).parents[2]
NAMES = [command.name for command in COMMANDS]


def baton(*words: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **environ}
    return subprocess.run(
        [sys.executable, "-m", "baton.cli", *words],
        cwd=home,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_reference_says_what_the_commands_are() -> None:
    assert (ROOT / "docs/reference/commands.md").read_text() == reference.page(), (
        "python -m baton.cli.reference > docs/reference/commands.md"
    )


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_every_command_teaches_by_examples_that_are_commands(command: object) -> None:
    assert command.help and command.examples  # type: ignore[attr-defined]
    for typed, meaning in command.examples:  # type: ignore[attr-defined]
        assert meaning and ("baton " in typed)


def test_names_and_aliases_are_each_one_command() -> None:
    every = [spelling for command in COMMANDS for spelling in (command.name, *command.aliases)]
    assert len(every) == len(set(every))


def test_every_command_but_git_s_helper_and_the_machine_s_has_json() -> None:
    without = {command.name for command in COMMANDS if not command.shape and command.group != "This machine"}
    assert without == {"git:credentials"}


def test_help_needs_no_configuration(tmp_path: Path) -> None:
    whole = baton("--help", home=tmp_path)
    assert whole.returncode == 0 and "config:set" in whole.stdout and "Exit codes" in whole.stdout
    one = baton("help", "config", "set", home=tmp_path, BATON_HOST="not an address")
    assert one.returncode == 0 and "$ baton config:set DEBUG=false" in one.stdout
    assert baton(home=tmp_path).stdout == whole.stdout
    assert not list(tmp_path.iterdir())


def test_output_that_is_piped_has_no_colours(tmp_path: Path) -> None:
    done = baton("ps:scale", "web=two", "-a", "shop", home=tmp_path)
    assert "\x1b" not in baton("--help", home=tmp_path).stdout + done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["confg:set"], 2, "Did you mean baton config:set"),
        (["config:set"], 2, "Missing argument"),
        (["config:set", "A=b", "--nonsense"], 2, "--nonsense"),
        (["config"], 2, "Add --app NAME"),
        (["config", "-a", "shop"], 3, "baton login"),
        (["apps"], 3, "not signed in"),
        (["apps", "--host", "http://10.0.0.1"], 2, "ssh -L"),
        (["login"], 2, "--email"),
        (["version"], 0, "baton/"),
    ],
)
def test_exit_codes_tell_scripts_what_went_wrong(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    done = baton(*words, home=tmp_path)
    assert (done.returncode, said in done.stderr + done.stdout) == (code, True), done


def test_with_json_errors_are_documents_too(tmp_path: Path) -> None:
    done = baton("apps", "--json", home=tmp_path)
    assert json.loads(done.stderr)["exit_code"] == done.returncode == 3
    assert done.stdout == ""


def test_a_server_that_is_not_there_has_its_own_exit_code(tmp_path: Path) -> None:
    done = baton("apps", home=tmp_path, BATON_HOST="http://127.0.0.1:1", BATON_API_KEY="key")
    assert done.returncode == 5 and "http://127.0.0.1:1" in done.stderr and "key" not in done.stderr.split()


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_caller_may_have_closed_any_stream(tmp_path: Path, closed: int) -> None:
    words = [sys.executable, "-m", "baton.cli", "version"]
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" {closed}>&-', "-", *words], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr


def test_a_key_to_heroku_itself_is_not_used(tmp_path: Path) -> None:
    assert baton("apps", home=tmp_path, HEROKU_API_KEY="key").returncode == 3
