"""Baton's own servers: their sockets stay open whatever happens to them."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from baton.run import errors
from baton.run.specs import ServiceSpec
from tests.run.stage import Stage, eventually, get, kill, processes, restarted_pid

# Serves on what it was given; says by which of its sockets a request came, and its pid.
SERVER = """
import http.server, os, selectors, socket, sys
if "NGINX" in os.environ:
    fds = [int(word) for word in os.environ["NGINX"].split(";") if word]
else:
    assert os.environ["LISTEN_PID"] == str(os.getpid())
    fds = list(range(3, 3 + int(os.environ["LISTEN_FDS"])))
print("serving", len(fds), "blocking", sum(map(os.get_blocking, fds)), flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self): return ""
    def do_GET(self):
        body = f"{os.environ.get('VERSION')} {os.getpid()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
selector = selectors.DefaultSelector()
for fd in fds:
    selector.register(socket.socket(fileno=fd), selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        connection, address = key.fileobj.accept()
        Handler(connection, address or ("", 0), None)
        connection.close()
"""


def spec_of(stage: Stage, style: str, **env: str) -> ServiceSpec:
    script = stage.home.root / "server.py"
    script.write_text(SERVER)
    listen = (f"unix:{stage.home.root}/service-{style}.sock", "tcp:127.0.0.1:0")
    return ServiceSpec(
        f"service-{style}",
        (sys.executable, str(script)),
        {"PATH": os.environ["PATH"], **env},
        listen,
        style,
        5,
    )


def pid_of(body: bytes) -> int:
    return int(body.split()[1])


@pytest.mark.parametrize("style", ["nginx", "systemd"])
def test_a_killed_service_comes_back_on_the_same_sockets_and_callers_wait(shared: Stage, style: str) -> None:
    shared.supervisor.service(spec_of(shared, style))
    path = shared.home.root / f"service-{style}.sock"
    inode = path.stat().st_ino
    for _ in range(3):
        status, body = get(path)
        assert status == 200
        kill(pid_of(body))
        assert get(path)[0] == 200
    assert path.stat().st_ino == inode
    # A worker of nginx that loses the race for a connection must not wait in accept().
    assert any("serving 2 blocking 0" in line for _, line in shared.supervisor.logs("baton", lines=100))


def test_a_service_and_its_sockets_outlive_supervisor_and_can_be_replaced(own: Stage) -> None:
    spec = spec_of(own, "systemd", VERSION="one")
    own.supervisor.service(spec)
    path = own.home.root / "service-systemd.sock"
    first = get(path)[1]
    old = own.pid()
    kill(old)
    restarted_pid(own, "supervisor", old)
    assert get(path)[1] == first
    own.supervisor.service(spec)
    assert get(path)[1] == first
    own.supervisor.service(spec_of(own, "systemd", VERSION="two"))
    assert get(path)[1].startswith(b"two")
    assert own.supervisor.status()["services"][0]["running"]
    kill(pid_of(get(path)[1]))
    assert get(path)[0] == 200


def test_signals_reach_a_service_by_name(shared: Stage) -> None:
    shared.supervisor.service(spec_of(shared, "nginx"))
    path = shared.home.root / "service-nginx.sock"
    before = pid_of(get(path)[1])
    shared.supervisor.signal("service-nginx", "KILL")
    eventually(lambda: pid_of(get(path)[1]) != before)
    with pytest.raises(errors.UnknownDyno):
        shared.supervisor.signal("nobody", "HUP")
    with pytest.raises(errors.SpecError, match="HUP, USR1"):
        shared.supervisor.signal("service-nginx", "NONSENSE")


def test_a_place_that_is_taken_is_said(shared: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        spec = ServiceSpec(
            "late", (sys.executable, "-c", ""), {}, (f"tcp:127.0.0.1:{taken.getsockname()[1]}",)
        )
        with pytest.raises(errors.SpecError, match="in use"):
            shared.supervisor.service(spec)


def test_real_nginx_reloads_and_survives_the_death_of_its_master(own: Stage) -> None:
    import shutil

    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("no nginx here")
    root = own.home.root
    config = root / "n.conf"
    path = root / "n.sock"

    def write(word: str) -> None:
        config.write_text(
            f"worker_processes 1; pid {root}/n.pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; server {{ listen unix:{path}; return 200 {word}; }} }}\n"
        )

    write("one")
    argv = (nginx, "-p", str(root), "-c", str(config), "-g", "daemon off;")
    own.supervisor.service(ServiceSpec("nginx", argv, {"PATH": "/usr/bin"}, (f"unix:{path}",), "nginx"))
    assert get(path) == (200, b"one")
    write("two")
    own.supervisor.signal("nginx", "HUP")
    eventually(lambda: get(path) == (200, b"two"))
    write("three")
    kill(int((root / "n.pid").read_text()))
    eventually(lambda: get(path) == (200, b"three"))
    mine = [
        pid
        for pid, words in processes()
        if str(config) in " ".join(words) and words[0].startswith("nginx: master")
    ]
    eventually(lambda: len(mine) == 1)
