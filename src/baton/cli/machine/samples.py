"""Loci and its API's sandbox, deployed the way a user deploys: Heroku's API and a real `git push`.

The commit is made with fixed author and dates, so the same files give the same commit, and a second `up`
sees that it is served already.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from baton.base.settings import Settings
from baton.cli.machine.start import MachineError

SANDBOX = "loci-sandbox"
LOCI = "loci"
CHECKOUT = Path(__file__).parents[4]
ACCEPT = {"Accept": "application/vnd.heroku+json; version=3"}
FIXED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Sample:
    """An application of this checkout, and what it needs to run here."""

    name: str
    folder: Path
    config: Mapping[str, str]
    buildpacks: tuple[str, ...] = ()
    left_out: frozenset[str] = field(default=frozenset())


def samples(settings: Settings) -> tuple[Sample, Sample]:
    """The sandbox first: Loci signs people in through it. Fresh secrets each call; a new app takes them."""
    client, secret = secrets.token_hex(16), secrets.token_hex(16)
    loci_url, sandbox_url = settings.web_url(LOCI).rstrip("/"), settings.web_url(SANDBOX).rstrip("/")
    sandbox = Sample(
        SANDBOX,
        CHECKOUT / "apps/loci/sandbox",
        {
            "DEBUG": "false",
            "DJANGO_SECRET_KEY": secrets.token_urlsafe(48),
            "DATABASE_URL": "sqlite:////data/sandbox.sqlite3",
            "SANDBOX_ALLOW": "1",
            "SANDBOX_CLIENT_ID": client,
            "SANDBOX_CLIENT_SECRET": secret,
            "SANDBOX_REDIRECT_URIS": f"{loci_url}/receive_code/",
        },
    )
    loci = Sample(
        LOCI,
        CHECKOUT / "apps/loci",
        {
            "DEBUG": "false",
            "DJANGO_SECRET_KEY": secrets.token_urlsafe(48),
            "DJANGO_SETTINGS_MODULE": "config.settings.production",
            "DATABASE_URL": "sqlite:////data/loci.sqlite3",
            "API_URL": sandbox_url,
            "API_CLIENT_ID": client,
            "API_CLIENT_SECRET": secret,
            "API_CA_FILE": "/etc/baton-ca.pem",
        },
        ("heroku/nodejs", "heroku/python"),
        frozenset({"sandbox"}),
    )
    return sandbox, loci


def available() -> bool:
    """Whether this Baton runs from a checkout that holds the applications."""
    return (CHECKOUT / "apps/loci/manage.py").exists()


def deploy_all(settings: Settings, token: str) -> list[str]:
    """Creates what is missing and pushes what has changed; returns the names of what was pushed."""
    with httpx.Client(
        base_url=settings.control_url,
        headers={**ACCEPT, "Authorization": f"Bearer {token}"},
        timeout=120,
        trust_env=False,
    ) as api:
        sandbox, loci = samples(settings)
        fresh = {each.name: create(api, each) for each in (sandbox, loci)}
        if any(fresh.values()):
            share_client(api, sandbox, loci)
        return [each.name for each in (sandbox, loci) if push(api, each, settings, token)]


def create(api: httpx.Client, sample: Sample) -> bool:
    """Makes the app with its buildpacks; True if it was not there. Its config comes separately."""
    if api.get(f"/apps/{sample.name}").status_code == 200:
        return False
    _ask(api, "POST", "/apps", {"name": sample.name})
    updates = [{"buildpack": name} for name in sample.buildpacks]
    if updates:
        _ask(api, "PUT", f"/apps/{sample.name}/buildpack-installations", {"updates": updates})
    return True


def share_client(api: httpx.Client, sandbox: Sample, loci: Sample) -> None:
    """Sets what is not set yet, and the same OAuth client on both sides."""
    pairs = {"SANDBOX_CLIENT_ID": "API_CLIENT_ID", "SANDBOX_CLIENT_SECRET": "API_CLIENT_SECRET"}
    have = {each.name: _ask(api, "GET", f"/apps/{each.name}/config-vars") for each in (sandbox, loci)}
    for theirs, ours in pairs.items():
        value = have[SANDBOX].get(theirs) or have[LOCI].get(ours) or sandbox.config[theirs]
        have[SANDBOX].setdefault(theirs, value)
        have[LOCI][ours] = have[SANDBOX][theirs]
    for each in (sandbox, loci):
        _ask(api, "PATCH", f"/apps/{each.name}/config-vars", {**each.config, **have[each.name]})


def push(api: httpx.Client, sample: Sample, settings: Settings, token: str) -> bool:
    """`git push` of the sample's files, its output passed on. False if these files are served already."""
    with tempfile.TemporaryDirectory(prefix="baton-") as scratch:
        tree = Path(scratch) / sample.name
        commit = commit_files(sample, tree)
        if served_commit(api, sample.name) == commit:
            return False
        remote = f"{settings.control_url}/{sample.name}.git"
        argv = ["git", "push", "--quiet", "--force", remote, "HEAD:refs/heads/main"]
        done = subprocess.run(argv, cwd=tree, env=git_environment(token), check=False)
    if done.returncode != 0:
        raise MachineError(
            f"{sample.name} was pushed and refused (git's exit status {done.returncode}); see above.",
            "Mend it, then type baton up again. What is served was not touched.",
        )
    return True


def served_commit(api: httpx.Client, name: str) -> str | None:
    releases = _ask(api, "GET", f"/apps/{name}/releases")
    slug = next((release["slug"] for release in releases if release["current"] and release["slug"]), None)
    if slug is None:
        return None
    commit = _ask(api, "GET", f"/apps/{name}/slugs/{slug['id']}")["commit"]
    return str(commit) if commit else None


def commit_files(sample: Sample, tree: Path) -> str:
    """Copies the sample's files, commits them in a repository of their own, returns the commit's id."""
    for source in tracked(sample):
        target = tree / source.relative_to(sample.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    env = {**os.environ, **dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), FIXED)}
    who = ("-c", "user.name=Baton", "-c", "user.email=baton@localhost", "-c", "commit.gpgsign=false")
    for argv in (["init", "--quiet", "--initial-branch=main"], ["add", "--all", "--force"]):
        subprocess.run(["git", *argv], cwd=tree, env=env, check=True)
    subprocess.run(
        ["git", *who, "commit", "--quiet", "-m", f"{sample.name} as shipped"], cwd=tree, env=env, check=True
    )
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tree, env=env, check=True, capture_output=True, text=True
    )
    return head.stdout.strip()


def tracked(sample: Sample) -> Iterator[Path]:
    """The files git knows below the folder; every file where the checkout is not a git one."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"], cwd=sample.folder, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        paths = [sample.folder / name for name in listed.stdout.split("\0") if name]
    else:
        paths = sorted(path for path in sample.folder.rglob("*") if path.is_file())
    ours = (path for path in paths if path.relative_to(sample.folder).parts[0] not in sample.left_out)
    return (path for path in ours if path.is_file())


def git_environment(token: str) -> dict[str, str]:
    """The token reaches git by its environment, never by an argument; the user's GIT_* stay out."""
    credentials = base64.b64encode(f"baton:{token}".encode()).decode()
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {credentials}",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _ask(api: httpx.Client, method: str, path: str, body: object = None) -> dict:  # type: ignore[type-arg]
    answer = api.request(method, path, json=body)
    if answer.is_error:
        raise MachineError(
            f"{method} {path} should have succeeded, and answered {answer.status_code}: {answer.text[:500]}",
            "Read logs/baton/control.log below BATON_HOME.",
        )
    return answer.json()  # type: ignore[no-any-return]
