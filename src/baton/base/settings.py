"""What an operator decides for one home: ports, addresses, the domain of the apps.

Kept in `BATON_HOME/settings.toml`; an environment variable of the same meaning wins over the file.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from baton.base.errors import SettingError
from baton.base.paths import Home


@dataclass(frozen=True)
class Settings:
    """The environment variable of each field is BATON_ and its name in capitals."""

    bind: str = "127.0.0.1"
    http_port: int = 8080
    https_port: int = 8443
    control_port: int = 5100
    rendezvous_port: int = 5101
    domain: str = "localhost"
    sleep_after: int = 1800
    build_seconds: int = 900
    build_memory_mb: int = 2048
    disk_reserve_mb: int = 1024

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self.control_port}"

    def web_url(self, name: str) -> str:
        """The address of an app behind the front door."""
        scheme, port, usual = (
            ("https", self.https_port, 443) if self.https_port else ("http", self.http_port, 80)
        )
        return f"{scheme}://{name}.{self.domain}{'' if port == usual else f':{port}'}/"

    @classmethod
    def load(cls, home: Home) -> Settings:
        """Defaults, then the file, then the environment. Raises SettingError naming the bad variable."""
        values: dict[str, object] = {}
        path = settings_file(home)
        if path.exists():
            values.update(_read(path))
        for field in fields(cls):
            variable = f"BATON_{field.name.upper()}"
            if variable in os.environ:
                values[field.name] = os.environ[variable]
        return cls(**{name: _typed(name, value) for name, value in values.items()})  # type: ignore[arg-type]

    def save(self, home: Home) -> None:
        lines = [
            f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}"
            for name, value in asdict(self).items()
        ]
        path = settings_file(home)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".new")
        scratch.write_text("\n".join(lines) + "\n")
        scratch.replace(path)


def settings_file(home: Home) -> Path:
    return home.root / "settings.toml"


def _read(path: Path) -> dict[str, object]:
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingError(
            f"{path} should be TOML, and can't be read: {error}", f"Mend or remove {path}."
        ) from error
    known = {field.name for field in fields(Settings)}
    unknown = sorted(set(found) - known)
    if unknown:
        raise SettingError(
            f"{path} has the unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}.",
            f"Remove the line from {path}.",
        )
    return found


def _typed(name: str, value: object) -> object:
    wanted = type(getattr(Settings, name))
    if wanted is str:
        return str(value)
    try:
        return int(str(value))
    except ValueError as error:
        raise SettingError(
            f"BATON_{name.upper()} should be a whole number, found {value!r}.", f"Set {name} to a number."
        ) from error
