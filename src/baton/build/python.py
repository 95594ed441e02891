"""heroku/python: interpreter, dependencies, hooks, static files of a Django project.

An installed tree is shared between builds by the hash of what it was made from. Between apps it is shared
only when no code of theirs had a part in it: every requirement names its hashes, only wheels are installed,
nothing of the tree is
seen, and what was installed is compiled without being imported. Any other tree carries the app's key in its
hash.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from baton.build import dependencies, detect, interpreters, requirements, tree
from baton.build.cage import (
    INSIDE,
    REPORT,
    UV,
    Ended,
    View,
    as_uv_names,
    find_uv,
    operator_indexes,
    operator_network,
)
from baton.build.errors import (
    BuildError,
    CollectStaticFailed,
    DependenciesFailed,
    HookFailed,
    NoRequirements,
    PythonError,
    PythonVersionMissing,
    RequirementNotFound,
    SeveralRequirements,
    StaleLock,
)
from baton.build.interpreters import Interpreter, Wanted
from baton.build.output import indented
from baton.build.requirements import Needs
from baton.build.workshop import Contribution, Workshop
from baton.run.specs import Mount

VERSION = "1"  # of what this module makes of the same input: a new one makes every tree anew
PREFIX = "/app/.heroku/python"
PYTHON = f"{PREFIX}/bin/python"
GIVEN = "/run/given"  # files that the build itself puts together
POETRY = "uv tool run --quiet --from 'poetry>=2,<3' --with poetry-plugin-export poetry"
PRE_COMPILE, POST_COMPILE = "bin/pre_compile", "bin/post_compile"

# gunicorn takes inherited sockets only when LISTEN_PID is its own; the one who starts it can't know that
# number.
LISTEN = (
    "import os, sys; 'LISTEN_FDS' in os.environ and any(os.path.basename(word) == 'gunicorn' for word in "
    "sys.orig_argv[:6]) "
    "and os.environ.__setitem__('LISTEN_PID', str(os.getpid()))\n"
)

# Only builds set the variable; see inside/memo.py.
MEMO = "import os; 'BATON_BUILD' in os.environ and exec(open(os.environ['BATON_BUILD']).read(), {})\n"

PROFILE = """\
export PATH="$HOME/.heroku/python/bin:$PATH"
export PYTHONUNBUFFERED="${PYTHONUNBUFFERED:-1}"
export PYTHONPATH="${PYTHONPATH:-/app}"
export LANG="${LANG:-C.UTF-8}"
"""

# Web processes by memory, as https://devcenter.heroku.com/articles/python-concurrency says.
CONCURRENCY = """\
if [ -z "${WEB_CONCURRENCY:-}" ]; then
  ram="${DYNO_RAM:-512}"
  if [ "$ram" -ge 14336 ]; then export WEB_CONCURRENCY=17
  elif [ "$ram" -ge 2560 ]; then export WEB_CONCURRENCY=5
  elif [ "$ram" -ge 1024 ]; then export WEB_CONCURRENCY=4
  else export WEB_CONCURRENCY=2
  fi
  unset ram
fi
"""

_NOT_FOUND = re.compile(
    r"was not found in the package registry|no version of|there (?:is|are) no versions? of"
    r"|were not found in the provided",
    re.I,
)
_STALE = re.compile(
    r"lockfile .* needs to be updated|pyproject\.toml changed significantly|poetry\.lock is not up to date",
    re.I,
)
_ONLY_WHEELS = re.compile(
    r"no usable wheels|building (?:source distributions|from source) is disabled|--no-build|no-build", re.I
)
_NOISE = re.compile(
    r"^warning: Failed to (?:hardlink|clone) files|^\s+If the cache and target directories"
    r"|^\s+If this is intentional, set `export UV_LINK_MODE|^Using Python .* environment at"
)


@dataclass(frozen=True)
class Installation:
    """One way to make the tree: the script, what it sees, and whether other apps may have the result."""

    script: str
    root: Path
    cache: str
    shared: bool
    binds: tuple[Mount, ...] = ()


def build(shop: Workshop) -> Contribution:
    """Run the whole buildpack. Raises PythonError, HookFailed, TreeError."""
    shop.out.title("Python app detected")
    hook(shop, PRE_COMPILE)
    file = requirements_file(shop.root)
    interpreter = find_interpreter(shop)
    if file == "Pipfile.lock":
        requirements.check_pipfile(shop.root)
    needs = requirements.read(shop.root, file)
    installed = install(shop, needs, interpreter)
    enter(shop, installed, interpreter)
    finish(shop, installed, interpreter)
    return contribution(shop, installed)


def requirements_file(root: Path) -> str:
    """The one file that says what is needed. Raises NoRequirements, SeveralRequirements."""
    found = detect.python_files(root)
    if len(found) == 1:
        return found[0]
    if found:
        raise SeveralRequirements(found)
    names = detect.names_at_root(root)
    raise NoRequirements(detect.listing(names), detect.explain(names))


def wanted_version(root: Path) -> Wanted | None:
    """From .python-version, else runtime.txt. Raises PythonVersionInvalid."""
    for name in (".python-version", "runtime.txt"):
        text = tree.read_text(root, name, 10_000)
        if text is not None:
            return interpreters.parse(name, text)
    return None


def find_interpreter(shop: Workshop) -> Interpreter:
    """The interpreter the app asks for, fetched if need be. Raises PythonVersionMissing."""
    home, wanted = shop.request.home, wanted_version(shop.root)
    found = interpreters.installed(home)
    chosen = interpreters.choose(wanted, found)
    problem = ""
    if chosen is None and wanted is not None:
        shop.out.title(f"Installing Python {wanted}")
        problem = interpreters.download(find_uv(), home, wanted, download_environment())
        chosen = None if problem else interpreters.choose(wanted, interpreters.installed(home))
    if chosen is None:
        file = wanted.file if wanted else "The app"
        raise PythonVersionMissing(file, str(wanted or "3"), interpreters.versions(found), problem)
    _tell_version(shop, chosen, wanted)
    return chosen


def download_environment() -> dict[str, str]:
    """For uv outside of the cage, where it runs for Baton itself."""
    passed = {
        name: os.environ[name] for name in ("HOME", "PATH", "UV_PYTHON_INSTALL_MIRROR") if name in os.environ
    }
    return {
        **passed,
        **operator_network(),
        "UV_HTTP_RETRIES": "1",
        "UV_HTTP_TIMEOUT": "15",
        "UV_NO_CONFIG": "1",
    }


def _tell_version(shop: Workshop, chosen: Interpreter, wanted: Wanted | None) -> None:
    if wanted is None:
        shop.out.title(f"No Python version was specified. Using this machine's own, Python {chosen}")
        shop.out.detail(
            f"To keep it when the machine changes: echo {chosen.version[0]}.{chosen.version[1]} > "
            ".python-version"
        )
        return
    shop.out.title(f"Using Python {chosen} specified in {wanted.file}")
    if wanted.file == "runtime.txt":
        shop.out.warn(
            f"runtime.txt is deprecated. Use .python-version: echo {chosen.version[0]}.{chosen.version[1]} "
            "> .python-version"
        )


def install(shop: Workshop, needs: Needs, interpreter: Interpreter) -> Path:
    """The tree with the app's dependencies, made unless it is there. Raises PythonError."""
    ways = (True, False) if needs.pinned else (False,)
    names = {shared: tree_name(shop, needs, interpreter, shared=shared) for shared in ways}
    ready = [shared for shared in ways if (shop.request.home.deps / names[shared]).is_dir()]
    if ready:
        shop.out.title(f"Using cached install of the dependencies in {needs.main}")
        return _obtain(shop, needs, interpreter, names[ready[0]], shared=ready[0])
    shop.out.title(f"Installing the dependencies in {needs.main}")
    try:
        return _obtain(shop, needs, interpreter, names[ways[0]], shared=ways[0])
    except _NeedsBuilding:
        shop.out.detail(
            "Not every package has a wheel for this Python; the rest is compiled, for this app alone."
        )
    return _obtain(shop, needs, interpreter, names[False], shared=False)


def _obtain(shop: Workshop, needs: Needs, interpreter: Interpreter, name: str, *, shared: bool) -> Path:
    request = shop.request

    def make() -> Path:
        kind = "wheels" if shared else "packages"
        with dependencies.locked(request.home.cache(request.key) / f"{kind}.lock", shop.cage.cancelled):
            return _make(shop, needs, interpreter, _installation(shop, needs, kind, shared=shared), name)

    return shop.obtain(name, make)


def tree_name(shop: Workshop, needs: Needs, interpreter: Interpreter, *, shared: bool) -> str:
    """See the module's docstring for what `shared` means."""
    parts = {
        "buildpack": f"python {VERSION}",
        "main": needs.main,
        "files": json.dumps(needs.files, sort_keys=True),
        "interpreter": f"{interpreter} {interpreter.path}",
        "machine": " ".join((platform.machine(), *platform.libc_ver())),
    }
    if not shared:
        parts["app"] = shop.request.key
        parts["configuration"] = requirements.configuration(shop.root)
        parts["local"] = requirements.local_digest(shop.root, needs, shop.request.limits)
        parts["once"] = shop.request.build_id if needs.remote else ""
    return dependencies.key(parts)


def _installation(shop: Workshop, needs: Needs, cache: str, *, shared: bool) -> Installation:
    given = shop.scratch("given")
    (given / "requirements.txt").write_text(needs.files.get(needs.main, ""), encoding="utf-8")
    (given / "requirements.txt").chmod(0o644)
    binds = (Mount(str(given), GIVEN),)
    if shared:
        command = f"uv pip install --python {PYTHON} --require-hashes --no-build -r {GIVEN}/requirements.txt"
        return Installation(command, shop.scratch("empty"), cache, shared, binds)
    commands = {
        "requirements.txt": f"uv pip install --python {PYTHON} -r requirements.txt",
        "Pipfile.lock": f"uv pip install --python {PYTHON} -r {GIVEN}/requirements.txt",
        "poetry.lock": (
            f"{POETRY} check --lock\n"
            f"{POETRY} export --only main --format requirements.txt --output {REPORT}/given.txt\n"
            f"uv pip install --python {PYTHON} -r {REPORT}/given.txt"
        ),
        "uv.lock": f"uv sync --locked --no-default-groups --no-dev --python {PYTHON}",
    }
    return Installation(commands[needs.main], shop.root, cache, shared, binds)


def _make(shop: Workshop, needs: Needs, interpreter: Interpreter, way: Installation, name: str) -> Path:
    """Install into the app's cache directory, where uv's own cache is on the same mount and can be linked
    from.
    """
    workplace = shop.cache(way.cache)
    tree.remove(workplace / "python")
    script = (
        "set -e\n"
        f"uv venv --quiet --no-project --python {shlex.quote(str(interpreter.path))} {PREFIX}\n"
        f"{way.script}\n"
        f"{shlex.quote(str(interpreter.path))} -I -S {INSIDE}/bytecode.py /app/.heroku/bytecode unchecked "
        f"{PREFIX}/lib\n"
    )
    tree.make_directory(way.root, ".heroku")
    view = View(
        way.root,
        mounts=interpreter_mounts(interpreter),
        binds=(Mount(str(workplace), "/app/.heroku"), *way.binds),
    )
    ended = shop.cage.run(
        f"installing the dependencies in {needs.main}",
        script,
        view,
        install_environment(shop, shared=way.shared),
        show=_shown,
    )
    if ended.status:
        raise install_error(needs.main, ended, only_wheels=way.shared)
    finished = shop.request.directory / f"tree-{name}"
    (workplace / "python").rename(finished)
    site = f"lib/python{interpreter.version[0]}.{interpreter.version[1]}/site-packages"
    tree.write(finished, f"{site}/baton-listen.pth", LISTEN.encode())
    tree.write(finished, f"{site}/baton-build.pth", MEMO.encode())
    return finished


def install_environment(shop: Workshop, *, shared: bool) -> dict[str, str]:
    """A shared tree sees of the config vars only where packages are: their hashes say what they are."""
    env = shop.environment(config=not shared)
    config: Mapping[str, str] = shop.request.env
    indexes = as_uv_names({name: value for name, value in config.items() if name.startswith("PIP_")})
    named = {
        name: value
        for name, value in config.items()
        if name.startswith(("UV_INDEX", "UV_EXTRA_INDEX", "UV_DEFAULT_INDEX"))
    }
    return {
        **env,
        **operator_indexes(),
        **indexes,
        **named,
        "PATH": f"{Path(UV).parent}:{env['PATH']}",
        "UV_CACHE_DIR": "/app/.heroku/uv",
        "UV_TOOL_DIR": f"{REPORT}/tools",
        # Without a user of its own for the cage, its cache must not share inodes with a finished tree.
        "UV_LINK_MODE": "copy" if shop.request.uid is None else "hardlink",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PROJECT_ENVIRONMENT": PREFIX,
        "UV_COMPILE_BYTECODE": "0",
    }


def interpreter_mounts(interpreter: Interpreter) -> tuple[Mount, ...]:
    home = str(interpreter.prefix)
    return () if interpreter.path.is_relative_to("/usr") else (Mount(home, home),)


class _NeedsBuilding(PythonError):
    """Internal: a pinned installation of wheels alone is not possible."""


def install_error(main: str, ended: Ended, *, only_wheels: bool) -> BuildError:
    text = "\n".join(ended.tail)
    if only_wheels and _ONLY_WHEELS.search(text):
        return _NeedsBuilding("")
    if _STALE.search(text):
        command = "uv lock" if main == "uv.lock" else "poetry lock"
        return StaleLock(main, "pyproject.toml", command, ended.tail)
    if _NOT_FOUND.search(text):
        return RequirementNotFound(main, ended.tail)
    return DependenciesFailed(main, ended.status, ended.tail)


def _shown(line: str) -> str | None:
    return None if _NOISE.match(line) or not line.strip() else indented(line)


def enter(shop: Workshop, installed: Path, interpreter: Interpreter) -> None:
    """Let everything that follows, and the dynos, see the tree."""
    tree.make_directory(shop.root, ".heroku/python")
    shop.mounts += [*interpreter_mounts(interpreter), Mount(str(installed), PREFIX)]
    shop.path.insert(0, f"{PREFIX}/bin")
    shop.env |= {"PYTHONUNBUFFERED": "1", "PYTHONPATH": "/app"}
    tree.write(shop.root, ".profile.d/python.sh", PROFILE.encode())
    tree.write(shop.root, ".profile.d/WEB_CONCURRENCY.sh", CONCURRENCY.encode())


def finish(shop: Workshop, installed: Path, interpreter: Interpreter) -> None:
    """Bytecode of the app, collectstatic and bin/post_compile, in one cage: each start of one costs."""
    manage = django_manage(shop.root, installed)
    hook_text = (tree.read_bytes(shop.root, POST_COMPILE, tree.TEXT_LIMIT) or b"").decode(errors="replace")
    collects = manage != "" and collect_itself(shop, hook_text)
    python = shlex.quote(str(interpreter.path))
    script = (
        "set -e\n"
        + shop.step("bytecode")
        + f"{python} -I -S {INSIDE}/bytecode.py /run/bytecode checked /app\n"
        + (_collect_script(shop, manage) if collects else "")
        + (_hook_script(shop, POST_COMPILE) if hook_text else "")
        + (_ask_script(manage) if manage and not collects else "")
    )
    binds = tuple(Mount(str(shop.cache(name)), f"/run/{name}") for name in ("bytecode", "whitenoise"))
    env = {**shop.environment(), "BATON_BUILD": f"{INSIDE}/memo.py", "BATON_BUILD_CACHE": "/run/whitenoise"}
    ended = shop.run("finishing the Python app", script, binds=binds, env=env, show=_shown)
    if ended.status:
        raise finish_error(ended)
    shop.static = static_report(shop)


def collect_itself(shop: Workshop, hook_text: str) -> bool:
    """Whether the build runs collectstatic, or says why it does not."""
    if shop.request.env.get("DISABLE_COLLECTSTATIC", "0") not in ("", "0"):
        shop.out.title("Skipping Django collectstatic since the env var DISABLE_COLLECTSTATIC is set.")
        return False
    if re.search(r"^[^#\n]*\bcollectstatic\b", hook_text, re.MULTILINE):
        shop.out.title(f"Leaving Django collectstatic to {POST_COMPILE}, which runs it.")
        return False
    return True


def _collect_script(shop: Workshop, manage: str) -> str:
    title = f"echo '-----> $ python {manage} collectstatic --noinput'\n"
    return f"{shop.step('collectstatic')}{title}({_static_command(manage, 'collect')})\n"


def _ask_script(manage: str) -> str:
    """A hook may have run collectstatic; settings that can't be loaded are no fault of a build that was told
    not to.
    """
    return f"({_static_command(manage, 'ask')} >/dev/null 2>&1) || :\n"


def _static_command(manage: str, mode: str) -> str:
    directory, _, name = manage.rpartition("/")
    ask = f"python {INSIDE}/django_static.py /run/report/static.json {mode} {name}"
    return f"cd /app/{directory or '.'} && {ask}"


def django_manage(root: Path, installed: Path) -> str:
    """Where manage.py is, in the root or one directory below; "" where it or Django is missing."""
    if not any((path / "django").is_dir() for path in site_packages(installed)):
        return ""
    places = ["manage.py", *(f"{name}/manage.py" for name in _plain_directories(root))]
    return next((place for place in places if tree.is_file(root, place)), "")


def _plain_directories(root: Path) -> list[str]:
    plain = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    names = [
        path.name
        for path in root.iterdir()
        if plain.match(path.name) and path.is_dir() and not path.is_symlink()
    ]
    return sorted(name for name in names if name != "node_modules")


def site_packages(installed: Path) -> list[Path]:
    return sorted(installed.glob("lib/python3*/site-packages"))


def finish_error(ended: Ended) -> BuildError:
    if ended.step == "collectstatic":
        return CollectStaticFailed(ended.tail)
    if ended.step in (PRE_COMPILE, POST_COMPILE):
        return HookFailed(ended.step, ended.status, ended.tail)
    return BuildError(
        f"Compiling the app's Python files ended with status {ended.status}.", "Push again.", ended.tail
    )


def hook(shop: Workshop, name: str) -> None:
    """Run a hook of the app in its own cage. Raises HookFailed."""
    if not tree.is_file(shop.root, name):
        return
    ended = shop.run(name, _hook_script(shop, name))
    if ended.status:
        raise HookFailed(name, ended.status, ended.tail)


def _hook_script(shop: Workshop, name: str) -> str:
    return f"{shop.step(name)}echo '-----> Running {name} hook'\nchmod +x {name}\ncd /app && {name}\n"


def static_report(shop: Workshop) -> tuple[str, str] | None:
    """(STATIC_URL, STATIC_ROOT) as the app said; None when it said nothing that can be used."""
    text = tree.read_text(shop.cage.report, "static.json", 10_000)
    if text is None:
        return None
    try:
        found = json.loads(text)
        return (str(found["url"]), str(found["root"])) if found["url"] and found["root"] else None
    except (ValueError, KeyError, TypeError):
        return None


def contribution(shop: Workshop, installed: Path) -> Contribution:
    """The web process of a Django project that has gunicorn, and the database its driver stands for."""
    packages = {
        path.name.partition("-")[0].lower()
        for site in site_packages(installed)
        for path in site.glob("*.dist-info")
    }
    postgres = packages & {"psycopg", "psycopg2", "psycopg2_binary", "psycopg_binary"}
    modules = [
        name
        for name in _plain_directories(shop.root)
        if name.isidentifier() and tree.is_file(shop.root, f"{name}/wsgi.py")
    ]
    web = {"web": f"gunicorn {modules[0]}.wsgi"} if len(modules) == 1 and "gunicorn" in packages else {}
    return Contribution("heroku/python", "Python", web, addons=("heroku-postgresql",) if postgres else ())
