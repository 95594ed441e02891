"""TCP between apps: only an app's own user and Baton may connect to a dyno's $PORT, and nobody from outside.

One table a home, which speaks of this home's dynos' ports only, so nothing else on the machine notices it.
"""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

from baton.run.machine import run
from baton.run.spawn import spawn


def table(name: str) -> str:
    """nft's script for a home: adding what is there already changes nothing, so a successor keeps the
    sets.
    """
    commands = (
        "add table inet NAME",
        "add set inet NAME ports { type inet_service ; }",
        "add set inet NAME users { type inet_service . uid ; }",
        "add chain inet NAME own",
        "add chain inet NAME leave { type filter hook output priority 0 ; policy accept ; }",
        "add chain inet NAME arrive { type filter hook input priority 0 ; policy accept ; }",
        *(f"flush chain inet NAME {chain}" for chain in ("own", "leave", "arrive")),
        "add rule inet NAME own meta skuid 0 accept",
        "add rule inet NAME own tcp dport . meta skuid @users accept",
        "add rule inet NAME own reject with tcp reset",
        "add rule inet NAME leave tcp dport @ports fib daddr type local jump own",
        "add rule inet NAME arrive tcp dport @ports iif != lo drop",
    )
    return "".join(f"{command}\n".replace("NAME", name) for command in commands)


class Firewall:
    """`missing` says why there is none, for doctor; None when it stands."""

    def __init__(self, home: Path) -> None:
        self.name = f"baton_{zlib.crc32(str(home).encode()):08x}"
        self.nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
        self.missing: str | None = None

    def raise_up(self, *, fresh: bool) -> None:
        """Make the table; a `fresh` one forgets what a home that died left in it."""
        if os.geteuid() != 0:
            self.missing = "not root"
        elif self.nft is None:
            self.missing = "nft is not installed"
        else:
            anew = f"add table inet {self.name}\ndelete table inet {self.name}\n" if fresh else ""
            self.missing = run([self.nft, "-f", "-"], anew + table(self.name))

    def allow(self, port: int, uid: int) -> None:
        """Close the port to all but that user. It takes a few milliseconds, much less than a server needs to
        bind.
        """
        self._change("add", port, uid)

    def forbid(self, port: int, uid: int) -> None:
        """Forget the port: its dyno has gone."""
        self._change("delete", port, uid)

    def _change(self, verb: str, port: int, uid: int) -> None:
        what = ("users", f"{{ {port} . {uid} }} ; {verb} element inet {self.name} ports {{ {port} }}")
        self._command(verb, "element", "inet", self.name, *what)

    def tear_down(self) -> None:
        self._command("delete", "table", "inet", self.name)

    def _command(self, *words: str) -> None:
        if self.missing is None and self.nft:
            with open(os.devnull, "r+b") as null:  # noqa: PTH123
                standard = dict.fromkeys((0, 1, 2), null.fileno())
                spawn([self.nft, " ".join(words)], {"PATH": "/usr/sbin:/usr/bin:/bin"}, standard)


def ability() -> str | None:
    """What of this can't be had here, one sentence for doctor; None when all can. Changes nothing."""
    if os.geteuid() != 0:
        return "Apps can reach each other's $PORT over TCP: closing them needs root."
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if nft is None:
        return "Apps can reach each other's $PORT over TCP: install nftables."
    failure = run([nft, "-c", "-f", "-"], "add table inet baton\n")
    return (
        f"Apps can reach each other's $PORT over TCP: nft does not work here ({failure})."
        if failure
        else None
    )
