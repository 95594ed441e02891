"""git's pre-receive hook: hands the refs to control, prints what it answers, ends as it says.

It imports next to nothing because it starts at every push. Written to the hooks folder of the home by
`baton.control.repositories.install_hook`; its environment has BATON_HOOK_SOCKET and BATON_PUSH, a secret
that names the push. Control answers with lines; the last one is NUL and the exit status.
"""

import _socket
import os
import sys

GONE = b" !     Baton stopped before the push was finished. See what is served (releases), then push again.\n"
QUARANTINE = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")


def request(push: str, refs: bytes) -> bytes:
    """A length in decimal and a newline, then fields that end in NUL each.

    Secret, quarantine's three, refs.
    """
    fields = [push.encode(), *(os.fsencode(os.environ.get(name, "")) for name in QUARANTINE), refs]
    body = b"".join(field + b"\0" for field in fields)
    return b"%d\n" % len(body) + body


def main() -> int:
    refs = sys.stdin.buffer.read()
    control = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        control.connect(os.environ["BATON_HOOK_SOCKET"])
        control.sendall(request(os.environ["BATON_PUSH"], refs))
        return relay(control)
    except OSError:
        os.write(1, GONE)
        return 1


def relay(control: _socket.socket) -> int:
    """Prints until the final line. Raises OSError when control goes away before it, or nobody reads."""
    pending = b""
    while True:
        data = control.recv(65536)
        if not data:
            raise ConnectionError
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            if line.startswith(b"\0"):
                return int(line[1:])
            os.write(1, line + b"\n")


if __name__ == "__main__":
    sys.exit(main())
