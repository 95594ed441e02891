"""Starting a child: file descriptors at chosen numbers, signals as a login shell has them, its cgroup entered
first.

`subprocess` can't put a descriptor at another number, and leaves ignored signals ignored.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Mapping, Sequence

from baton.run.errors import SandboxError

# Above every number that a child is given, so that no source is overwritten before it is copied.
_FIRST_FREE = 64


def spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    fds: Mapping[int, int],
    entrances: Sequence[str] = (),
    own_pid_as: str | None = None,
) -> int:
    """Start `argv` in a session of its own and return its pid.

    `fds` maps the child's number to ours; all others are closed. `entrances` are cgroup.procs files.
    `own_pid_as` names a variable that is to hold the child's own pid. Raises SandboxError when it can't
    start.
    """
    report, outcome = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _enter(entrances)
            if own_pid_as:
                env = {**env, own_pid_as: str(os.getpid())}
            _become(argv, env, fds, outcome)
        except BaseException as error:  # noqa: BLE001 - nothing may return into the parent's code
            os.write(outcome, f"{type(error).__name__}: {error}".encode(errors="replace"))
        os._exit(127)
    os.close(outcome)
    with os.fdopen(report, "rb") as pipe:
        failure = pipe.read()
    if failure:
        os.waitpid(pid, 0)
        raise SandboxError(f"{argv[0]} can't be started: {failure.decode()}")
    return pid


def _enter(entrances: Sequence[str]) -> None:
    os.setsid()
    _reset_signals()
    for entrance in entrances:
        with open(entrance, "wb") as file:  # noqa: PTH123 - pathlib costs milliseconds after a fork
            file.write(b"0")


def _become(argv: Sequence[str], env: Mapping[str, str], fds: Mapping[int, int], outcome: int) -> None:
    os.chdir("/")
    os.umask(0o022)
    moved = {number: _move_up(source) for number, source in fds.items()}
    kept = _move_up(outcome)
    os.closerange(3, _FIRST_FREE)
    for number, source in moved.items():
        os.dup2(source, number, inheritable=True)
    try:
        os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606
    except OSError as error:
        os.write(kept, str(error).encode())


def _move_up(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)


def _reset_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError, RuntimeError):
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
