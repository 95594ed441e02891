"""The entry of `baton`.

git asks its credential helper twice a push, so that one command is answered without loading all the others.
"""

from __future__ import annotations

import sys


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["git:credentials"] and words[1:] in (["get"], ["store"], ["erase"]):
        from baton.cli import credential_helper

        sys.exit(credential_helper.main(words[1]))
    from baton.cli.program import run

    sys.exit(run(words))
