"""Static files: Baton's front door, a plain nginx over the same directory, and whitenoise in the app."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks import quiet, report, wrk
from benchmarks.apps import tree
from benchmarks.hand import answers, environment, free_port, nginx, start_web
from benchmarks.site import Site, wait_for
from benchmarks.timings import must

SIZE = 10_000
COMMAND = "gunicorn project.wsgi --workers 3"
BATON, NGINX, WHITENOISE = "Baton", "plain nginx", "whitenoise"
ENCODINGS = ("identity", "gzip", "br")


@dataclass
class Way:
    """One server of the same file. `sent` is the Content-Encoding it answers with, by what was asked for."""

    name: str
    host: str
    port: int
    sent: dict[str, str] = field(default_factory=dict)
    rates: dict[str, list[float]] = field(default_factory=dict)


def files() -> dict[str, str]:
    """A tree with a style sheet of SIZE bytes, as varied as style sheets are."""
    css = "".join(
        f".rule-{n} {{ margin: {n * 7919 % 97}px; color: #{n * 104729 % 0xFFFFFF:06x}; }}\n"
        for n in range(400)
    )
    made = tree("gunicorn", "v1", release=False) | {
        "static/site.css": css[:SIZE],
        "Procfile": f"web: {COMMAND}\n",
    }
    return made


def with_whitenoise(made: dict[str, str]) -> dict[str, str]:
    settings = made["project/settings.py"].replace(
        'SecurityMiddleware"]', 'SecurityMiddleware", "whitenoise.middleware.WhiteNoiseMiddleware"]'
    )
    settings = settings.replace(
        "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
        "whitenoise.storage.CompressedManifestStaticFilesStorage",
    )
    requirements = made["requirements.txt"] + "whitenoise==6.12.0\nbrotli==1.2.1\n"
    return made | {"project/settings.py": settings, "requirements.txt": requirements}


def run(site: Site, where: Path, rounds: int, seconds: int) -> list[Way]:
    """All ways and encodings in turn, round by round."""
    made = files()
    must(site.push(made))
    path = _collect(with_whitenoise(made), where / "tree")
    with ExitStack() as stack:
        ways = [Way(BATON, site.target().host, site.target().port)]
        ways.append(_plain(where, stack.callback))
        ways.append(_whitenoise(where, stack.callback))
        for way in ways:
            wait_for(lambda way=way: answers(way.port, path, way.host), f"{path} from {way.name}")  # type: ignore[misc]
            way.sent = {each: _encoding(way, path, each) for each in ENCODINGS}
        for number in range(rounds):
            for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
                for each in ENCODINGS:
                    quiet.wait()
                    url = f"http://127.0.0.1:{way.port}{path}"
                    found = wrk.measure(url, way.host, seconds, f"Accept-Encoding: {each}")
                    way.rates.setdefault(each, []).append(found.per_second)
    return ways


def _collect(made: dict[str, str], where: Path) -> str:
    """Install the tree and collect its static files by hand; the hashed path of the style sheet."""
    command = [str(environment(where, made) / "python"), "manage.py", "collectstatic", "--noinput", "-v", "0"]
    subprocess.run(command, cwd=where, check=True, env={"PATH": "/usr/bin:/bin"})
    manifest = json.loads((where / "staticfiles" / "staticfiles.json").read_text())
    return f"/static/{manifest['paths']['site.css']}"


def _plain(where: Path, at_end: Callable[..., object]) -> Way:
    port = free_port()
    types = "types { text/css css; }"
    document = (
        f"{types} sendfile on; tcp_nopush on; server {{ listen 127.0.0.1:{port} backlog=2048;\n"
        f"location /static/ {{ alias {where}/tree/staticfiles/; }} }}"
    )
    at_end(nginx(where / "nginx", document).stop)
    return Way(NGINX, "app.localhost", port)


def _whitenoise(where: Path, at_end: Callable[..., object]) -> Way:
    port = free_port()
    at_end(start_web(COMMAND, where / "tree", port, where / "tree" / ".venv" / "bin").stop)
    return Way(WHITENOISE, "app.localhost", port)


def _encoding(way: Way, path: str, wanted: str) -> str:
    with httpx.Client(trust_env=False) as client:
        headers = {"Host": way.host, "Accept-Encoding": wanted}
        answer = client.get(f"http://127.0.0.1:{way.port}{path}", headers=headers)
    return str(answer.headers.get("Content-Encoding", "identity"))


def show(ways: list[Way]) -> None:
    rows = [
        (way.name, *(f"{statistics.median(way.rates[each]):.0f} ({way.sent[each]})" for each in ENCODINGS))
        for way in ways
    ]
    columns = ("requests/s, median (encoding sent)", *(f"asked for {each}" for each in ENCODINGS))
    report.table(
        f"a static file of {SIZE} bytes, wrk with {wrk.CONNECTIONS} kept-alive connections", columns, rows
    )
    quiet.say()


def promises(ways: list[Way]) -> list[report.Promise]:
    """Beside the plain nginx for the plain file; the two others only whitenoise also compresses."""
    baton, plain, noise = ways
    median = statistics.median
    share = median(baton.rates["identity"]) / median(plain.rates["identity"])
    times = median(baton.rates["br"]) / median(noise.rates["br"])
    return [
        report.Promise("a plain file, against a plain nginx", share, 0.8, at_least=True),
        report.Promise("a compressed file, against whitenoise", times, 3.5, " times", at_least=True),
    ]
