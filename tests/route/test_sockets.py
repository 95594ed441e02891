"""nginx takes the sockets it is given, and gives none of them up."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from baton.route.door import RoutedApp
from tests.route.conftest import HOST, Running, answering, wait_for


def workers_of(door: Running) -> set[int]:
    """The processes in nginx's group that are not its master."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(status.parent.name)
        if int(fields[2]) == door.process.pid and pid != door.process.pid and fields[0] != "Z":
            found.add(pid)
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_serves_from_the_sockets_it_inherited_and_opens_none_of_its_own(door: Running) -> None:
    door.app(answering())
    assert door.get()[2] == b"hello"
    wait_for(lambda: len(workers_of(door)) == 2, "both workers")
    inherited = {os.fstat(one.fileno()).st_ino for one in door.listening}
    for pid in workers_of(door):
        held = {one.stat().st_ino for one in Path(f"/proc/{pid}/fd").iterdir() if int(one.name) > 2}
        assert inherited <= held


def test_a_killed_master_is_replaced_on_the_same_sockets(door: Running) -> None:
    door.app(answering())
    old = workers_of(door)
    door.process.kill()
    door.process.wait()
    assert door.get()[2] == b"hello", "its workers go on serving"
    group = door.process.pid
    door.start()
    os.killpg(group, signal.SIGQUIT)
    wait_for(lambda: not any(is_running(pid) for pid in old), "the orphans to go")
    for _ in range(20):
        assert door.get()[2] == b"hello"


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL])
def test_page_sockets_answer_again_after_nginx_ended_and_came_back(
    door: Running, how: signal.Signals
) -> None:
    door.process.send_signal(how)
    door.process.wait()
    for code in ("h10", "h14", "h80", "h81"):
        assert door.door.home.page_socket(code).is_socket(), code
    door.start()
    door.point(door.door.home.page_socket("h80"))
    assert door.get()[0] == 503


PARENT = """
import subprocess, sys
inherited = [int(n) for n in sys.argv[1].split(",")]
child = subprocess.Popen(sys.argv[2:], pass_fds=inherited, start_new_session=True)
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGTERM])
def test_page_sockets_outlive_an_nginx_whose_parent_has_gone(door: Running, how: signal.Signals) -> None:
    door.stop()
    inherited = door.inheritance()
    numbers = ",".join(map(str, inherited["pass_fds"]))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, numbers, *door.front.argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **inherited,
    ) as parent:
        assert parent.stdout
        master = int(parent.stdout.readline())
        door.groups.append(master)
        door.front.settle()
        parent.kill()
    os.kill(master, how)
    wait_for(lambda: not is_running(master), "nginx to end")
    door.start()
    door.point(door.door.home.page_socket("h80"))
    assert door.get()[0] == 503
    assert "code=H80" in door.router_line()


def test_a_reload_takes_up_a_new_host_and_loses_no_queued_connection(door: Running) -> None:
    door.app(answering())
    assert door.get(host="new.example")[0] == 404
    added = replace(door.door, apps=(*door.door.apps, RoutedApp("ba9876543210", "new", ("new.example",))))
    door.app(answering(b"new"), key="ba9876543210")
    assert door.front.apply(added)
    assert door.get(host="new.example")[2] == b"new"
    assert door.get(host=HOST)[2] == b"hello"
    assert not door.front.apply(added), "the same document is not taken up twice"
    assert isinstance(door.connect(), socket.socket)


def test_a_reload_leaves_open_connections_to_the_clients_that_hold_them(door: Running) -> None:
    if door.front.nginx.version < (1, 27, 4):
        pytest.skip("this nginx closes idle connections when it reloads")
    door.app(answering())
    request = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n".encode()
    with door.connect() as connection:
        for idle in (5, 6, 7):
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"hello"):
                part = connection.recv(4096)
                assert part, "closed while idle"
                answer += part
            if b"Connection: close" in answer:
                return  # the door said so in time, which is as good
            door.front.apply(replace(door.door, idle=idle))
