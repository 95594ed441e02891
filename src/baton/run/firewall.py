"""TCP between apps: only an app's own user and Baton may connect to a dyno's $PORT, and nobody from outside.

One table `inet baton`. Everything is refused from the start, so a dyno whose element comes late is closed, not open.
"""

from __future__ import annotations

import os
import shutil

from baton.run.machine import PORTS, run
from baton.run.spawn import spawn

_RANGE = f"{PORTS.start}-{PORTS.stop - 1}"
TABLE = f"""
add table inet baton
add set inet baton dynos {{ type inet_service . uid ; }}
add chain inet baton own
add chain inet baton leave {{ type filter hook output priority 0 ; policy accept ; }}
add chain inet baton arrive {{ type filter hook input priority 0 ; policy accept ; }}
flush chain inet baton own
flush chain inet baton leave
flush chain inet baton arrive
add rule inet baton own meta skuid 0 accept
add rule inet baton own tcp dport . meta skuid @dynos accept
add rule inet baton own reject with tcp reset
add rule inet baton leave tcp dport {_RANGE} fib daddr type local jump own
add rule inet baton arrive tcp dport {_RANGE} iif != lo drop
"""


class Firewall:
    """`missing` says why there is none, for doctor; None when it stands."""

    def __init__(self) -> None:
        self.nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
        self.missing: str | None = None

    def raise_up(self) -> None:
        if os.geteuid() != 0:
            self.missing = "not root"
        elif self.nft is None:
            self.missing = "nft is not installed"
        else:
            self.missing = run([self.nft, "-f", "-"], TABLE)

    def allow(self, port: int, uid: int) -> None:
        self._element("add", port, uid)

    def forbid(self, port: int, uid: int) -> None:
        self._element("delete", port, uid)

    def _element(self, verb: str, port: int, uid: int) -> None:
        if self.missing is None and self.nft:
            argv = [self.nft, verb, "element", "inet", "baton", "dynos", f"{{ {port} . {uid} }}"]
            with open(os.devnull, "r+b") as null:  # noqa: PTH123
                spawn(argv, {"PATH": "/usr/sbin:/usr/bin:/bin"}, dict.fromkeys((0, 1, 2), null.fileno()))


def ability() -> str | None:
    """What of this can't be had here, one sentence for doctor; None when all can. Changes nothing."""
    if os.geteuid() != 0:
        return "Apps can reach each other's $PORT over TCP: closing them needs root."
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if nft is None:
        return "Apps can reach each other's $PORT over TCP: install nftables."
    failure = run([nft, "-c", "-f", "-"], "add table inet baton\n")
    return f"Apps can reach each other's $PORT over TCP: nft does not work here ({failure})." if failure else None
