"""What a dyno can reach, and what it may use up."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from baton.run import sandbox
from baton.run.specs import Mount, ProcessSpec
from tests.run.stage import COMMANDS, SITE, Stage, eventually, processes

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="users of their own need root")

# Tries everything that a nosy neighbour would; prints what worked.
NOSY = """
import glob, os, signal, socket, sys
def attempt(name, action):
    try:
        print("DID" if action() else "NOT", name, flush=True)
    except OSError as error:
        print("NOT", name, error, flush=True)
home, key, port, pids, uid = sys.argv[1:]
port, pids, uid = int(port), [int(pid) for pid in pids.split(",")], int(uid)
def reach(path):
    socket.socket(socket.AF_UNIX).connect(path)
    return True
attempt("list the home", lambda: os.listdir(home))
attempt("read another's slug", lambda: glob.glob(home + "/slug*/*"))
attempt("read another's data", lambda: os.listdir(f"{home}/data/{key}"))
attempt("read the keys", lambda: os.listdir(f"{home}/keys"))
attempt("reach another's front", lambda: reach(f"{home}/run/front/{key}.sock"))
attempt("reach the supervisor", lambda: reach(f"{home}/run/supervisor.sock"))
attempt("reach another's port", lambda: socket.create_connection(("127.0.0.1", port), 2))
for pid in pids:
    attempt("read another's environment", lambda: open(f"/proc/{pid}/environ").read())
    attempt("read another's memory", lambda: open(f"/proc/{pid}/mem", "rb"))
    attempt("signal another", lambda: os.kill(pid, 0) is None)
attempt("become another", lambda: os.setuid(uid) is None)
attempt("write to /usr", lambda: open("/usr/x", "w"))
attempt("mount", lambda: os.system("mount -t tmpfs none /tmp 2>/dev/null") == 0)
attempt("see other processes", lambda: len([p for p in os.listdir("/proc") if p.isdigit()]) > 12)
print("DONE")
"""


@root_only
@pytest.mark.smoke
def test_an_app_reaches_nothing_of_another_nor_of_baton(shared: Stage) -> None:
    (shared.home.keys).mkdir(mode=0o700, exist_ok=True)
    victim = shared.app(COMMANDS["plain"], SECRET="hush")
    shared.deploy(victim)
    (shared.home.data(victim.key) / "treasure").write_text("gold")
    pids = [pid for pid, _ in processes() if _uid(pid) == victim.uid]
    port = next(
        int(words[i + 1].rpartition(":")[2])
        for _, words in processes()
        for i, word in enumerate(words)
        if word == "--target" and victim.key in " ".join(words) and "tcp:" in words[i + 1]
    )
    nosy = shared.app("", files={"nosy.py": NOSY})
    output: list[str] = []
    command = f"python nosy.py {shared.home.root} {victim.key} {port} {','.join(map(str, pids))} {victim.uid}"
    assert shared.supervisor.run(nosy, "run.1", command, on_output=output.append) == 0
    assert output[-1] == "DONE"
    assert [line for line in output if line.startswith("DID")] == []
    assert len(output) > 12
    # The victim's own user may use its own port, so it is the firewall that refused, not an absent server.
    own = f"python -c \"import socket; socket.create_connection(('127.0.0.1', {port}), 5)\""
    assert shared.supervisor.run(victim, "run.2", own) == 0


def _uid(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return -1


def test_what_a_dyno_writes_vanishes_with_it_except_in_its_data_directory(shared: Stage) -> None:
    spec = shared.app("")
    before = set((shared.home.run / "dynos").iterdir())
    write = (
        "echo changed > /app/wsgi.py && echo new > /app/new && echo kept > /data/kept && echo x > /tmp/x "
        "&& cat /app/wsgi.py"
    )
    output: list[str] = []
    assert shared.supervisor.run(spec, "run.1", write, on_output=output.append) == 0
    assert output == ["changed"]
    assert (
        shared.supervisor.run(
            spec,
            "run.2",
            "grep -q application wsgi.py && ! ls /app/new /tmp/x && cat /data/kept",
            on_output=output.append,
        )
        == 0
    )
    assert output[-1] == "kept"
    assert "application" in (Path(spec.slug or "") / "wsgi.py").read_text()
    eventually(lambda: set((shared.home.run / "dynos").iterdir()) <= before)


@pytest.mark.smoke
def test_the_environment_is_herokus_and_is_nowhere_else(shared: Stage) -> None:
    secret = "s3cr3t-" + os.urandom(8).hex()
    spec = shared.app(COMMANDS["gunicorn sync"], SECRET=secret, LINES="one\ntwo", LD_PRELOAD="/app/evil.so")
    shared.deploy(spec)
    seen = eval(shared.get(spec, "/environ")[1])
    assert seen["SECRET"] == secret
    assert seen["LINES"] == "one\ntwo"
    assert (seen["DYNO"], seen["HOME"], seen["HEROKU_RELEASE_VERSION"]) == ("web.1", "/app", "v1")
    assert 20000 <= int(seen["PORT"]) < 30000
    assert secret not in shared.log(spec)
    for pid, words in processes():
        if pid != os.getpid():
            assert secret not in " ".join(words)
    for path in shared.home.root.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_profile_scripts_run_before_the_command(shared: Stage) -> None:
    files = {".profile.d/one.sh": "export ONE=${ONE:-1}\n", ".profile": "export TWO=2$ONE\n"}
    spec = shared.app("", files=files)
    output: list[str] = []
    assert shared.supervisor.run(spec, "run.1", "echo $ONE $TWO $0 && exit 9", on_output=output.append) == 9
    assert output == ["1 21 bash"]


@root_only
def test_memory_over_twice_the_quota_is_killed_with_r15_and_over_the_quota_is_r14(shared: Stage) -> None:
    spec = shared.app("")
    eat = 'python -c "b = bytearray(1200 << 20); print(len(b))"'
    assert shared.supervisor.run(spec, "run.1", eat) == 137
    assert "heroku[run.1]: Error R15 (Memory quota vastly exceeded)" in shared.log(spec)


@root_only
def test_memory_over_the_quota_is_said(shared: Stage) -> None:
    eat = 'python -c "import time; b = bytearray(700 << 20); time.sleep(600)"'
    spec = shared.app(workers=(ProcessSpec("worker", eat, 1, "Standard-1X", grace=2),))
    shared.deploy(spec)
    eventually(lambda: "heroku[worker.1]: Error R14 (Memory quota exceeded)" in shared.log(spec), 60)
    assert "Process running mem=7" in shared.log(spec)
    shared.supervisor.destroy(spec.key)


@root_only
def test_a_fork_bomb_is_bounded_and_ended(shared: Stage) -> None:
    spec = shared.app("")
    bomb = (
        'python -c "\n'
        "import os, time\n"
        "try:\n"
        "  for n in range(2000):\n"
        "    if os.fork() == 0: time.sleep(60); os._exit(0)\n"
        "except OSError:\n"
        "  print('children', n)\n"
        "  os._exit(5)\n"
        '"'
    )
    output: list[str] = []
    one = shared.supervisor
    import threading

    results: list[int] = []
    thread = threading.Thread(
        target=lambda: results.append(one.run(spec, "run.1", bomb, on_output=output.append))
    )
    thread.start()
    eventually(lambda: output)
    assert 100 < int(output[0].split()[1]) < 256
    one.stop(spec.key, "run.1") if spec.key in one.status()["apps"] else end_run(shared, spec)
    thread.join(60)
    assert results == [5]


def end_run(made: Stage, spec) -> None:
    for pid, _ in processes():
        if _uid(pid) == spec.uid:
            os.kill(pid, 9)


def test_the_argument_list_of_a_sandbox_is_pure_and_complete() -> None:
    made = sandbox.Sandbox(
        Path("/slugs/x"),
        mounts=(Mount("/deps/y", "/app/.heroku/python"),),
        binds=(Mount("/d", "/data"),),
        overlay=Path("/scratch"),
        overlays=(sandbox.Overlay(Path("/nm"), "/app/node_modules", Path("/s2")),),
        uid=1234,
        gid=1235,
        die_with_parent=True,
        workdir="/app/x",
        hostname="h",
    )
    argv = made.argv(["true", "1"])
    words = " ".join(argv)
    assert "--overlay-src /slugs/x --overlay /scratch/upper /scratch/work /app" in words
    assert "--overlay-src /nm --overlay /s2/upper /s2/work /app/node_modules" in words
    assert "--perms 0755 --dir /app/.heroku --ro-bind /deps/y /app/.heroku/python" in words
    assert "--bind /d /data" in words
    assert "--die-with-parent" in words and "--hostname h" in words and "--chdir /app/x" in words
    assert words.endswith(
        "-- /usr/bin/setpriv --reuid=1234 --regid=1235 --clear-groups --no-new-privs --inh-caps=-all "
        "--bounding-set=-all -- true 1"
    )
    assert "--unshare-user" not in argv
    assert "--unshare-user" in sandbox.Sandbox(Path("/x")).argv(["true"])


@root_only
def test_an_ordinary_user_gets_the_same_without_users_of_their_own() -> None:
    """Runs another Python as an ordinary user: the interpreter of this one may lie in a closed directory."""
    python = "/usr/bin/python3"
    probe = subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False)
    if probe.returncode:
        pytest.skip("the system's Python is older than 3.11")
    script = Path(__file__).with_name("ordinary.py")
    closed = [place for place in script.parents if not place.stat().st_mode & 0o001]
    if closed:
        pytest.skip(f"another user can't read this checkout: {closed[-1]} is closed")
    source = Path(sandbox.__file__).parents[2]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{source}:{SITE}:{script.parents[2]}", "SITE": str(SITE)}
    user = ["setpriv", "--reuid=31999", "--regid=31999", "--clear-groups"]
    done = subprocess.run(
        [*user, python, str(script)], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "served 200" in done.stdout
    assert "Apps run as one Unix user" in done.stdout
    assert "lost []" in done.stdout
