from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.cli.rendezvous import ExitCode, command_line, with_exit_code, without_exit_code


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["rake test; ls"], "rake test; ls"),
        (["python", "manage.py", "migrate"], "python manage.py migrate"),
        (["echo", "$HOME"], "echo $HOME"),
        (["ls", "*.py"], "ls *.py"),
        (["echo", "two words"], "echo 'two words'"),
        (["python", "-c", "print(1)"], "python -c 'print(1)'"),
        (["bash", "-c", "echo $HOME"], "bash -c 'echo $HOME'"),
        (["echo", "it's"], "echo 'it'\"'\"'s'"),
        (["a", "&&", "b", "|", "c", ">", "d", "2>&1"], "a && b | c > d 2>&1"),
        (["echo", "a;b"], "echo 'a;b'"),
        (["echo", ""], "echo ''"),
    ],
)
def test_words_reach_the_dyno_as_they_were_typed(words: list[str], line: str) -> None:
    assert command_line(words) == line


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("true", 0),
        ("false", 1),
        ("exit 3", 3),
        ("exec false", 1),
        ("no-such-program-anywhere", 127),
        ("set -e; false; true", 1),
        ("echo hello # a comment; exit 1", 0),
        ("cat <<X\nexit 4\nX", 0),
        ("kill -9 $BASHPID; exit 1", 137),
    ],
)
def test_bash_tells_the_exit_code_of_every_kind_of_command(command: str, code: int) -> None:
    done = subprocess.run(["bash", "-c", with_exit_code(command)], capture_output=True, check=False)
    reader = ExitCode()
    reader.feed(done.stdout)
    reader.finish()
    assert reader.value == code


@pytest.mark.parametrize("command", ["ls -l", "exit 3", "( exit 3\n)", "echo ;"])
def test_a_command_is_shown_as_it_was_typed(command: str) -> None:
    assert without_exit_code(with_exit_code(command)) == without_exit_code(command) == command


MARKER = "\uffff heroku-command-exit-status: 42\r\n".encode()


@given(
    st.binary(max_size=60) | st.just(MARKER[:9] * 3) | st.just("ends in \uffff".encode()),
    st.lists(st.integers(min_value=1, max_value=20)),
)
def test_output_and_exit_code_are_told_apart_however_they_are_cut(output: bytes, sizes: list[int]) -> None:
    data, shown, reader = output + MARKER, b"", ExitCode()
    for size in sizes:
        shown += reader.feed(data[:size])
        data = data[size:]
    shown += reader.feed(data) + reader.finish()
    assert (shown, reader.value) == (output, 42)


@given(st.binary(max_size=200))
def test_output_without_an_exit_code_is_passed_on_whole(output: bytes) -> None:
    reader = ExitCode()
    assert reader.feed(output) + reader.finish() == output
    assert reader.value is None


def test_only_the_last_marker_counts() -> None:
    reader = ExitCode()
    shown = reader.feed(MARKER + b"more output\n" + MARKER.replace(b"42", b"7")) + reader.finish()
    assert (shown, reader.value) == (MARKER + b"more output\n", 7)
