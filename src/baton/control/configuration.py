"""Config vars: what a name and a value may be, and the sealed form in which records keep them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from baton.base.paths import Home
from baton.base.secrets import Vault
from baton.control.errors import Invalid
from baton.control.models import App, ConfigVar, Release

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
TOTAL_LIMIT = 64 * 1024  # bytes of all names and values, https://devcenter.heroku.com/articles/limits
RESERVED_PREFIXES = ("__", "HEROKU_")
# The runner sets these itself.
RESERVED = frozenset(
    ("PORT", "DYNO", "HOME", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "UVICORN_UDS", "GRANIAN_UDS")
)


def after(
    config: Mapping[str, str], changes: Mapping[str, str | None], *, ours: bool = False
) -> dict[str, str]:
    """The config vars after `changes`; None unsets. Raises Invalid.

    `ours`: an add-on sets them, and may use HEROKU_ names.
    """
    result = dict(config)
    for name, value in changes.items():
        check_name(name, ours=ours)
        if value is None:
            result.pop(name, None)
        elif not isinstance(value, str) or "\0" in value:
            raise Invalid(f"The value of {name} should be a string without NUL characters.")
        else:
            result[name] = value
    check_size(result)
    return result


def with_defaults(config: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """What a buildpack proposes at the first deploy, below what the app's owner has set. Raises Invalid."""
    return after(config, {name: value for name, value in defaults.items() if name not in config})


def check_name(name: str, *, ours: bool = False) -> None:
    if not NAME.fullmatch(name):
        raise Invalid(
            "A config var's name is letters, digits and _, begins with no digit and has at most 128 "
            f"characters; found {name[:140]!r}."
        )
    if name in RESERVED or (not ours and name.startswith(RESERVED_PREFIXES)):
        raise Invalid(f"{name} is a reserved name: Baton sets it itself. Choose another name.")


def check_size(config: Mapping[str, str]) -> None:
    size = sum(len(name.encode()) + len(value.encode(errors="replace")) for name, value in config.items())
    if size > TOTAL_LIMIT:
        raise Invalid(f"All config vars together may have {TOTAL_LIMIT} bytes; these have {size}.")


def description(before: Mapping[str, str], changes: Mapping[str, str | None]) -> str:
    """Heroku's words for the release.

    `Set A, B config vars`, `Remove A config vars`; empty when nothing changes.
    """
    set_ = sorted(name for name, value in changes.items() if value is not None and before.get(name) != value)
    removed = sorted(name for name, value in changes.items() if value is None and name in before)
    parts = [
        f"{verb} {', '.join(names)} config vars"
        for verb, names in (("Set", set_), ("Remove", removed))
        if names
    ]
    return shortened(" and ".join(parts))


def shortened(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def current(home: Home, app: App) -> dict[str, str]:
    vault = Vault.open(home)
    return {var.name: vault.unseal(var.sealed) for var in app.config.order_by("name")}


def sealed(home: Home, config: Mapping[str, str]) -> str:
    return Vault.open(home).seal(json.dumps(dict(config)))


def of_release(home: Home, release: Release) -> dict[str, str]:
    return dict(json.loads(Vault.open(home).unseal(release.sealed_config)))


def replace(home: Home, app: App, config: Mapping[str, str]) -> None:
    """Makes the app's config vars these.

    To be called inside the transaction that makes the release current.
    """
    vault, before = Vault.open(home), current(home, app)
    app.config.exclude(name__in=list(config)).delete()
    for name, value in config.items():
        if before.get(name) != value:
            ConfigVar.objects.update_or_create(app=app, name=name, defaults={"sealed": vault.seal(value)})
