"""Where everything lies on a machine: one root, `BATON_HOME`, and names below it.

Directories of an app are named by its *key* (12 hex digits, `baton.base.ids.key`), so a rename moves nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from baton.base.errors import SettingError

# sun_path holds 108 bytes with its final NUL; the longest name below `run` is web/<key>/<8 hex>.sock.
LONGEST_SOCKET_NAME = len("/run/web/0123456789ab/01234567.sock")
SOCKET_PATH_LIMIT = 107


@dataclass(frozen=True)
class Home:
    """BATON_HOME and the places in it. Nothing is created by looking."""

    root: Path

    @classmethod
    def find(cls) -> Home:
        """The home that `BATON_HOME` names, else /var/lib/baton for root, ~/.local/share/baton otherwise.

        Raises SettingError when the path is too long for the sockets below it.
        """
        named = os.environ.get("BATON_HOME")
        default = Path("/var/lib/baton") if os.geteuid() == 0 else Path.home() / ".local/share/baton"
        return cls.at(Path(named) if named else default)

    @classmethod
    def at(cls, root: Path) -> Home:
        root = root.expanduser().absolute()
        if len(str(root)) + LONGEST_SOCKET_NAME > SOCKET_PATH_LIMIT:
            raise SettingError(
                f"BATON_HOME is {len(str(root))} characters long ({root}); Unix sockets below it "
                f"leave room for {SOCKET_PATH_LIMIT - LONGEST_SOCKET_NAME}.",
                "Set BATON_HOME to a shorter path, for example /var/lib/baton.",
            )
        return cls(root)

    @property
    def database(self) -> Path:
        return self.root / "control.sqlite3"

    @property
    def keys(self) -> Path:
        """Private: 0700, root or the owner of the home."""
        return self.root / "keys"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def slugs(self) -> Path:
        return self.root / "slugs"

    @property
    def deps(self) -> Path:
        return self.root / "deps"

    @property
    def builds(self) -> Path:
        return self.root / "builds"

    @property
    def front_document(self) -> Path:
        return self.root / "nginx.conf"

    @property
    def supervisor_socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def hook_socket(self) -> Path:
        """Where a repository's pre-receive hook finds control."""
        return self.run / "hook.sock"

    @property
    def router_log_socket(self) -> Path:
        return self.run / "router.sock"

    def repository(self, key: str) -> Path:
        return self.root / "git" / f"{key}.git"

    def cache(self, key: str) -> Path:
        return self.root / "cache" / key

    def data(self, key: str) -> Path:
        """The app's persistent directory, mounted at /data in each of its dynos."""
        return self.root / "data" / key

    def static(self, key: str) -> Path:
        """The hashed static files that the front door serves for an app."""
        return self.root / "static" / key

    def front_socket(self, key: str) -> Path:
        """The one path the front door knows of an app: a symlink to what answers now."""
        return self.run / "front" / f"{key}.sock"

    def page_socket(self, code: str) -> Path:
        """Where the front door answers an error page by H-code: h10, h14, h80, h81."""
        return self.run / "pages" / f"{code.lower()}.sock"
