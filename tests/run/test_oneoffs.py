"""Commands beside the formation: their status, their output byte by byte, their terminal, their caller's
leaving.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
import time

import pytest

from baton.run import errors
from tests.run.stage import Stage, eventually, kill, processes


def read_all(connection: socket.socket) -> bytes:
    connection.settimeout(20)
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def read_until(connection: socket.socket, wanted: bytes) -> bytes:
    connection.settimeout(20)
    data = b""
    while wanted not in data:
        piece = connection.recv(65536)
        assert piece, data
        data += piece
    return data


@pytest.mark.parametrize(
    ("command", "status"), [("true", 0), ("exit 3", 3), ("no-such-program", 127), ("kill -TERM $$", 143)]
)
@pytest.mark.smoke
def test_a_command_returns_its_status(shared: Stage, command: str, status: int) -> None:
    assert shared.supervisor.run(shared.app(), "run.1", command) == status


def test_output_comes_in_order_to_the_caller_and_to_the_log(shared: Stage) -> None:
    spec = shared.app()
    output: list[str] = []
    assert (
        shared.supervisor.run(
            spec, "release.12", "seq 3000; echo end >&2", type="release", on_output=output.append
        )
        == 0
    )
    assert output == [*map(str, range(1, 3001)), "end"]
    assert any(line.endswith("app[release.12]: end") for line in shared.lines(spec))
    assert "heroku[release.12]: State changed from up to complete" in shared.log(spec)


def test_a_command_without_a_slug_is_refused(shared: Stage) -> None:
    from dataclasses import replace

    with pytest.raises(errors.RunError, match="no slug"):
        shared.supervisor.run(replace(shared.app(), slug=None), "run.1", "true")


def test_a_command_that_takes_too_long_is_ended(shared: Stage) -> None:
    spec = shared.app()
    with pytest.raises(errors.TimedOut, match="within 1 seconds"):
        shared.supervisor.run(spec, "run.1", "sleep 600", timeout=1)
    assert "heroku[run.1]: Process exited with status 143" in shared.log(spec)


def test_a_bound_command_ends_with_its_callers_connection(shared: Stage) -> None:
    spec = shared.app()
    request = {
        "op": "run",
        "spec": spec.to_json(),
        "dyno": "release.1",
        "command": "sleep 777",
        "type": "release",
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(shared.home.supervisor_socket))
        connection.sendall(
            json.dumps({**request, "env": {}, "operation": "x", "bound": True}).encode() + b"\n"
        )
        eventually(lambda: any(words[:2] == ["sleep", "777"] for _, words in processes()))
    eventually(lambda: not any(words[:2] == ["sleep", "777"] for _, words in processes()))


def test_a_command_goes_on_when_the_supervisor_is_killed_and_its_caller_gets_all_of_it(own: Stage) -> None:
    spec = own.app()
    output: list[str] = []
    results: list[int] = []
    command = "for n in $(seq 60); do echo $n; sleep 0.05; done; exit 7"

    def run() -> None:
        results.append(
            own.supervisor.run(spec, "release.1", command, type="release", on_output=output.append)
        )

    thread = threading.Thread(target=run)
    thread.start()
    for goal in (10, 25):
        eventually(lambda: len(output) > goal)  # noqa: B023
        kill(own.pid())
    thread.join(60)
    assert results == [7]
    assert output == [str(n) for n in range(1, 61)]


def test_a_detached_command_is_in_the_log_and_among_the_dynos(shared: Stage) -> None:
    spec = shared.app()
    shared.supervisor.run_detached(spec, "run.77", "echo $GREETING; sleep 600", env={"GREETING": "hello"})
    eventually(lambda: "app[run.77]: hello" in shared.log(spec))
    assert shared.state(spec, "run.77") == "up"
    shared.deploy(spec)
    shared.supervisor.stop(spec.key, "run.77")
    eventually(lambda: shared.state(spec, "run.77") == "gone")


def test_a_terminal_has_its_size_and_echo_and_the_program_sees_a_tty(shared: Stage) -> None:
    spec = shared.app()
    with shared.supervisor.attach(
        spec,
        "run.1",
        "stty size; test -t 0 && test -t 2 && echo tty; read x; echo got $x",
        tty=True,
        rows=33,
        cols=123,
    ) as connection:
        seen = read_until(connection, b"tty\r\n")
        connection.sendall(b"word\r")
        seen += read_all(connection)
    assert seen == b"33 123\r\ntty\r\nword\r\ngot word\r\n"


def test_control_c_interrupts_the_program_and_not_the_session(shared: Stage) -> None:
    spec = shared.app()
    program = (
        "import time\n"
        "print('ready', flush=True)\n"
        "try:\n"
        "    time.sleep(600)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    spec = shared.app(files={"wait.py": program})
    with shared.supervisor.attach(spec, "run.1", "python wait.py", tty=True) as connection:
        read_until(connection, b"ready\r\n")
        connection.sendall(b"\x03")
        assert read_all(connection).endswith(b"interrupted\r\n")
    eventually(lambda: "heroku[run.1]: Process exited with status 0" in shared.log(spec))


def test_an_interactive_shell_works(shared: Stage) -> None:
    spec = shared.app(TERM="dumb")
    with shared.supervisor.attach(spec, "run.1", "bash", env={"TERM": "dumb"}, tty=True) as connection:
        connection.sendall(b"sleep 600\r")
        time.sleep(0.3)
        connection.sendall(b"\x03")
        connection.sendall(b"echo $((6*7)) $DYNO\r")
        seen = read_until(connection, b"42 run.1")
        assert b"no job control" not in seen
        connection.sendall(b"exit\r")
        read_all(connection)


def test_without_a_terminal_output_is_byte_exact_and_0x04_ends_stdin(shared: Stage) -> None:
    spec = shared.app()
    blob = os.urandom(200_000) + b"\x04" * 100_000 + b"end"
    with shared.supervisor.attach(spec, "run.1", "cat; echo done >&2", tty=False) as connection:
        thread = threading.Thread(target=lambda: connection.sendall(blob + b"\x04"))
        thread.start()
        seen = read_all(connection)
        thread.join()
    assert seen == blob + b"done\n"


def test_a_lot_of_output_arrives_whole_although_its_reader_is_slow(shared: Stage) -> None:
    spec = shared.app()
    with shared.supervisor.attach(spec, "run.1", "seq 300000", tty=False) as connection:
        first = connection.recv(10)
        time.sleep(0.3)
        seen = first + read_all(connection)
    assert seen == b"".join(b"%d\n" % n for n in range(1, 300001))


def test_the_program_ends_when_its_terminals_caller_leaves(shared: Stage) -> None:
    spec = shared.app()
    connection = shared.supervisor.attach(spec, "run.1", "echo here; sleep 888", tty=True)
    read_until(connection, b"here")
    connection.close()
    eventually(lambda: not any(words[:2] == ["sleep", "888"] for _, words in processes()))


def test_an_attached_session_outlives_the_supervisor(own: Stage) -> None:
    spec = own.app()
    with own.supervisor.attach(spec, "run.1", "echo one; read x; echo two $x", tty=True) as connection:
        read_until(connection, b"one\r\n")
        old = own.pid()
        kill(old)
        eventually(lambda: own.pids("supervisor") not in ([], [old]))
        connection.sendall(b"again\r")
        assert read_all(connection).endswith(b"two again\r\n")
    eventually(lambda: re.search(r"heroku\[run.1\]: Process exited with status 0", own.log(spec)))
