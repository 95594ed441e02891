"""The entry of `baton`.

git asks its credential helper twice a push, so that one command is answered without loading all the others.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    open_closed_streams()
    words = sys.argv[1:]
    if words[:1] == ["git:credentials"] and words[1:] in (["get"], ["store"], ["erase"]):
        from baton.cli import credential_helper

        sys.exit(credential_helper.main(words[1]))
    from baton.cli.program import run

    sys.exit(run(words))


def open_closed_streams() -> None:
    """A caller may have closed stdin, stdout or stderr; the next file opened would take its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))
