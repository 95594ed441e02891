"""Third-party buildpacks with Heroku's classic API: bin/detect, bin/compile, bin/release, an `export` file.

See https://devcenter.heroku.com/articles/buildpack-api. Their programs run in the cage like the app's own.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from baton.build import procfile, tree
from baton.build.cage import CERTIFICATES, REPORT, View
from baton.build.errors import (
    BuildError,
    BuildpackFailed,
    BuildpackNotFetched,
    BuildpackRejects,
    BuildpackRelease,
    TreeError,
)
from baton.build.output import indented
from baton.build.workshop import Contribution, Workshop
from baton.run.specs import Mount

ARCHIVE_LIMIT = 200_000_000  # bytes, packed
LONGEST_NAME = 80
_ARCHIVES = (".tgz", ".tar.gz", ".tar", ".tar.xz", ".tar.bz2")


def build(shop: Workshop, name: str, number: int) -> Contribution:
    """Fetch, detect, compile and ask what the buildpack says of the app. Raises BuildError."""
    place = fetch(shop, name, number)
    mount = Mount(str(place), f"/run/buildpacks/{number}")
    provided = detect(shop, name, mount)
    shop.out.title(f"{provided} app detected")
    compile_tree(shop, name, mount)
    said = release(shop, name, mount)
    if tree.is_file(place, "export"):
        shop.exports.append(Mount(f"{place}/export", f"/run/exports/{number}"))
    return Contribution(name, provided, said.process_types, said.config_vars, said.addons)


def fetch(shop: Workshop, name: str, number: int) -> Path:
    """The buildpack's own files, writable by the cage. Raises BuildpackNotFetched."""
    place = shop.scratch(f"buildpacks/{number}")
    if name.startswith("/"):
        _copy(shop, name, place)
    elif name.partition("#")[0].endswith(_ARCHIVES):
        _unpack(shop, name, place)
    else:
        _clone(shop, name, place)
    for file in ("bin/detect", "bin/compile"):
        if not tree.is_file(place, file):
            raise BuildpackNotFetched(name, f"it should have {file}, and has not.")
    tree.give(place, shop.request.uid, shop.request.gid, shop.request.limits)
    return place


def _copy(shop: Workshop, name: str, place: Path) -> None:
    source = Path(os.path.realpath(name))
    if source.is_relative_to(os.path.realpath(shop.request.home.root)):
        raise BuildpackNotFetched(name, "a path inside of BATON_HOME can't be a buildpack.")
    if not (source / "bin" / "compile").is_file():
        raise BuildpackNotFetched(name, "it should be a directory with bin/detect and bin/compile.")
    tree.measure(source, shop.request.limits)
    shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)


def _unpack(shop: Workshop, name: str, place: Path) -> None:
    packed = shop.request.directory / "buildpack.archive"
    try:
        _download(shop, name, packed)
        with tarfile.open(packed) as archive:
            for member in archive:
                archive.extract(member, place, filter="data")
                shop.cage.require()
    except (httpx.HTTPError, tarfile.TarError, OSError, ValueError) as error:
        raise BuildpackNotFetched(name, f"{type(error).__name__}: {error}") from error
    finally:
        packed.unlink(missing_ok=True)
    _unwrap(place)


def _download(shop: Workshop, url: str, target: Path) -> None:
    size = 0
    with httpx.stream("GET", url, follow_redirects=True, timeout=30) as response, target.open("wb") as file:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > ARCHIVE_LIMIT:
                raise ValueError(f"the archive has more than {ARCHIVE_LIMIT:,} bytes")
            shop.cage.require()
            file.write(chunk)


def _unwrap(place: Path) -> None:
    """An archive may hold the buildpack itself or one directory with it, as forges make them."""
    names = list(place.iterdir())
    if len(names) != 1 or names[0].is_symlink() or not names[0].is_dir() or names[0].name == "bin":
        return
    inner = names[0].rename(place.with_name(f"{place.name}-inner"))
    place.rmdir()
    inner.rename(place)


def _clone(shop: Workshop, name: str, place: Path) -> None:
    url, _, reference = name.partition("#")
    arguments = [url, reference]
    script = (
        "printf '[safe]\\n\\tdirectory = *\\n' > $GIT_CONFIG_GLOBAL\n"
        'git clone --quiet --depth 1 ${2:+--branch "$2"} -- "$1" . ||\n'
        '{ [ -n "$2" ] && git clone --quiet -- "$1" . && git checkout --quiet "$2"; } || exit 1\n'
        "rm -rf .git\n"
    )
    view = View(place, binds=_local_repository(shop, url))
    ended = shop.cage.run(f"fetching {name}", script, view, _git_environment(shop), arguments=arguments)
    if ended.status:
        raise BuildpackNotFetched(name, f"git ended with status {ended.status}.", ended.tail)


def _local_repository(shop: Workshop, url: str) -> tuple[Mount, ...]:
    """A `file://` repository of this machine has to be seen from the cage; Baton's own home never is."""
    if not url.startswith("file:///"):
        return ()
    path = os.path.realpath(url.removeprefix("file://"))
    bare = (Path(path) / "HEAD").is_file() or (Path(path) / ".git").is_dir()
    if not bare or Path(path).is_relative_to(os.path.realpath(shop.request.home.root)):
        raise BuildpackNotFetched(url, "it should be a git repository outside of BATON_HOME.")
    return (Mount(path, path),)


def _git_environment(shop: Workshop) -> dict[str, str]:
    certificates = {name: os.environ[name] for name in CERTIFICATES if name in os.environ}
    return {
        **shop.environment(config=False),
        **certificates,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_GLOBAL": f"{REPORT}/gitconfig",
    }


def detect(shop: Workshop, name: str, mount: Mount) -> str:
    """What bin/detect prints. Raises BuildpackRejects."""
    script = f"exec {mount.target}/bin/detect /app > {REPORT}/detected 2>/dev/null"
    ended = shop.run(f"bin/detect of {name}", script, binds=(mount,), env=_environment(shop))
    if ended.status:
        raise BuildpackRejects(name, "an app of its own kind (bin/detect)")
    said = (tree.read_bytes(shop.cage.report, "detected", 10_000) or b"").decode(errors="replace")
    shown = said.strip().partition("\n")[0]
    return "".join(character for character in shown if character.isprintable())[:LONGEST_NAME] or name


def compile_tree(shop: Workshop, name: str, mount: Mount) -> None:
    """bin/compile BUILD_DIR CACHE_DIR ENV_DIR: config vars are files, not environment.

    Raises BuildpackFailed.
    """
    private = env_directory(shop)
    binds = (mount, Mount(str(shop.cache("classic")), "/run/cache"), Mount(str(private), "/run/environment"))
    script = f"exec {mount.target}/bin/compile /app /run/cache /run/environment"
    try:
        ended = shop.run(
            f"bin/compile of {name}", script, binds=binds, env=_environment(shop), show=lambda line: line
        )
    finally:
        tree.remove(private)
    if ended.status:
        raise BuildpackFailed(name, ended.status, ended.tail)


def env_directory(shop: Workshop) -> Path:
    """One private file for each config var."""
    place = shop.scratch("environment")
    place.chmod(0o700)
    for name, value in shop.request.env.items():
        if name.isidentifier():
            path = place / name
            path.touch(mode=0o600)
            path.write_text(value)
            shop.own(path)
    return place


def _environment(shop: Workshop) -> dict[str, str]:
    return shop.environment(config=False)


def release(shop: Workshop, name: str, mount: Mount) -> Contribution:
    """What bin/release prints, nothing without one. Raises BuildpackRelease."""
    if not tree.is_file(Path(mount.source), "bin/release"):
        return Contribution(name, name)
    script = f"exec {mount.target}/bin/release /app > /run/report/release"
    ended = shop.run(f"bin/release of {name}", script, binds=(mount,), env=_environment(shop), show=indented)
    if ended.status:
        raise BuildpackRelease(name, f"it ended with status {ended.status}")
    try:
        return parse_release(name, tree.read_text(shop.cage.report, "release", 1_000_000) or "")
    except TreeError as error:
        raise BuildpackRelease(name, error.message) from error


def parse_release(name: str, text: str) -> Contribution:
    """The YAML of bin/release. Raises BuildpackRelease."""
    try:
        document = yaml.safe_load(text) or {}
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BuildpackRelease(name, "it is not YAML") from error
    if not isinstance(document, dict):
        raise BuildpackRelease(name, "it is not a mapping")
    types = _strings(name, document, "default_process_types")
    addons = document.get("addons") or []
    if not isinstance(addons, list) or not all(isinstance(addon, str) for addon in addons):
        raise BuildpackRelease(name, "addons is not a list of names")
    try:
        procfile.parse("".join(f"{type_}: {command}\n" for type_, command in types.items()))
    except BuildError as error:
        raise BuildpackRelease(
            name, "default_process_types has a name or command that can't be used"
        ) from error
    return Contribution(name, name, types, _strings(name, document, "config_vars"), tuple(addons))


def _strings(name: str, document: Mapping[str, Any], field: str) -> dict[str, str]:
    values = document.get(field) or {}
    if not isinstance(values, dict):
        raise BuildpackRelease(name, f"{field} is not a mapping")
    if not all(isinstance(value, str | int | float) for pair in values.items() for value in pair):
        raise BuildpackRelease(name, f"{field} should map names to plain values")
    return {str(key): str(value) for key, value in values.items()}
