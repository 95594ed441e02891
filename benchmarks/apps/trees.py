"""Trees of the sample applications, put together from the files beside this module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

FILES = Path(__file__).parent / "files"

KINDS = ("gunicorn", "uvicorn", "granian", "port")
ASGI_KINDS = ("uvicorn",)

# What can be wrong with a push, in the order of the design's ten.
FLAWS = ("import_error", "release_fails", "crash_after_bind", "never_binds", "no_such_requirement")

# The config var whose value every answer repeats.
SETTING = "GREETING"

DJANGO = ("django==5.2.19", "asgiref==3.13.0", "sqlparse==0.6.1")
REQUIREMENTS: dict[str, tuple[str, ...]] = {
    "gunicorn": (*DJANGO, "gunicorn==27.0.1", "packaging==26.3"),
    "uvicorn": (*DJANGO, "uvicorn==0.54.0", "click==8.5.1", "h11==0.16.0", "websockets==17.4"),
    "granian": (*DJANGO, "granian==2.8.7", "click==8.5.1"),
    "port": (),
}
EXTRA_REQUIREMENT = "idna==3.20"
NO_SUCH_REQUIREMENT = "idna==3.9999"

WEB = {
    "gunicorn": "gunicorn project.wsgi --workers 2 --threads 8",
    "uvicorn": "uvicorn project.asgi:application --host 0.0.0.0 --port $PORT --no-access-log",
    "granian": "granian --interface wsgi --host 0.0.0.0 --port $PORT --blocking-threads 16 "
    "--no-ws project.wsgi:application",
    "port": "python server.py",
}
NEVER_BINDS = 'python -c "import time; time.sleep(3600)"'
RELEASE = {True: "python manage.py check", False: "python settings.py"}
RELEASE_FAILS = "python -c \"raise SystemExit('relation cart_item does not exist')\""


def tree(
    kind: str,
    version: str,
    flaw: str | None = None,
    *,
    requirements: Iterable[str] = (),
    release: bool = True,
) -> dict[str, str]:
    """The files of the sample application `kind` (of KINDS) that says it is `version`.

    `flaw` is one of FLAWS; `requirements` are added to the kind's own; without `release` the Procfile has no
    release phase. Raises ValueError for a kind or flaw that does not exist.
    """
    if kind not in KINDS or flaw not in (None, *FLAWS):
        raise ValueError(f"kind is one of {KINDS} and flaw None or one of {FLAWS}, not {kind!r} and {flaw!r}")
    files = _base(kind)
    files["version.txt"] = f"{version}\n"
    files["Procfile"] = _procfile(kind, flaw, release)
    wanted = (*REQUIREMENTS[kind], *requirements, *((NO_SUCH_REQUIREMENT,) * (flaw == "no_such_requirement")))
    files["requirements.txt"] = "".join(f"{line}\n" for line in wanted)
    if flaw == "import_error":
        settings = _settings_name(kind)
        files[settings] = f"import no_such_module\n{files[settings]}"
    if flaw == "crash_after_bind":
        name, text = _crash(kind)
        files[name] += text
    return files


def write(files: Mapping[str, str], where: Path) -> None:
    """Write a tree below `where`; what is there under other names stays."""
    for name, text in files.items():
        path = where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _base(kind: str) -> dict[str, str]:
    if kind == "port":
        return _read("port")
    return _read("django") | _read("asgi" if kind in ASGI_KINDS else "wsgi")


def _read(part: str) -> dict[str, str]:
    root = FILES / part
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _settings_name(kind: str) -> str:
    return "settings.py" if kind == "port" else "project/settings.py"


def _procfile(kind: str, flaw: str | None, release: bool) -> str:
    web = NEVER_BINDS if flaw == "never_binds" else WEB[kind]
    lines = [f"web: {web}"]
    if flaw == "release_fails":
        lines.insert(0, f"release: {RELEASE_FAILS}")
    elif release:
        lines.insert(0, f"release: {RELEASE[kind != 'port']}")
    return "".join(f"{line}\n" for line in lines)


def _crash(kind: str) -> tuple[str, str]:
    """The file and the text that make a program bind, accept, and die at the first request it takes."""
    if kind == "port":
        return "answers.py", PORT_CRASH
    if kind in ASGI_KINDS:
        return "project/asgi.py", ASGI_CRASH
    return "project/wsgi.py", GUNICORN_CRASH if kind == "gunicorn" else WSGI_CRASH


PORT_CRASH = """
import os  # noqa: E402


def answer(method, target, body):
    os._exit(3)
"""
ASGI_CRASH = """

async def application(scope, receive, send):
    os._exit(3)
"""
WSGI_CRASH = """

def application(environ, start_response):
    os._exit(3)
"""
# Gunicorn would replace a dead worker for ever; the arbiter has to go with it.
GUNICORN_CRASH = """

ARBITER = os.getppid()


def application(environ, start_response):
    os.kill(ARBITER, 9)
    os._exit(3)
"""
