"""Apps: create, list, show, open, rename, destroy."""

from __future__ import annotations

import shlex
import sys
import webbrowser
from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer

from baton.cli import git
from baton.cli.api import Record, path
from baton.cli.errors import NotConfirmed, UsageError
from baton.cli.names import checked, remote_target
from baton.cli.output import Line, app_name, file_size, header, join, pairs
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Apps")

Name = Annotated[
    str | None, typer.Argument(metavar="APP", help="The app; the same as --app.", show_default=False)
]


@commands.command(
    "create",
    needs="server",
    aliases=("apps:create",),
    shape="app",
    examples=(
        ("baton create", "an app with a name that is made up, and the git remote baton"),
        ("baton create shop", "an app named shop"),
        ("baton create shop --remote production", "its git remote is called production"),
        (
            "baton create shop --buildpack heroku/nodejs --buildpack heroku/python",
            "built by these two, in order",
        ),
    ),
)
def create(
    session: Session,
    *,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A name; made up without one.")] = None,
    app: Annotated[str | None, typer.Option("-a", "--app", metavar="NAME", help="The same as NAME.")] = None,
    remote: Annotated[
        str, typer.Option("-r", "--remote", metavar="NAME", help="What to call the git remote.")
    ] = "baton",
    buildpack: Annotated[
        list[str] | None,
        typer.Option("-b", "--buildpack", metavar="NAME|URL", help="Use this buildpack; repeatable."),
    ] = None,
    no_remote: Annotated[bool, typer.Option("-n", "--no-remote", help="Add no git remote.")] = False,
) -> None:
    """Create an app, and a git remote to push it to."""
    wanted = name or app
    label = join("Creating ", app_name(wanted)) if wanted else "Creating app"
    with session.out.action(label) as step:
        made = session.api.post("/apps", {"name": checked(wanted)} if wanted else {})
        if buildpack:
            updates = {"updates": [{"buildpack": url} for url in buildpack]}
            session.api.put(path("apps", made["name"], "buildpack-installations"), updates)
        step.done() if wanted else step.done(app_name(made["name"]))
    url = git.remote_url(session.server, made["name"])
    session.offer_git_password()
    if not no_remote and git.inside_repository():
        _add_remote(session, remote, url)
    session.out.show(made, [join(made["web_url"], " | ", url)])


def _add_remote(session: Session, name: str, url: str) -> None:
    """An existing remote of that name is left alone: it may be where another app is deployed."""
    if any(existing.name == name for existing in git.remotes() or ()):
        session.out.warn(
            f"The git remote {name} exists already. To replace it: git remote set-url {name} {url}"
        )
        return
    git.set_remote(name, url)


@commands.command(
    "apps",
    needs="server",
    aliases=("list", "apps:list"),
    shape="[app, ...]",
    examples=(("baton apps", "your apps"), ("baton apps --json", "the same for a script")),
)
def apps(session: Session) -> None:
    """List your apps."""
    found = session.api.every("/users/~/apps")
    account = session.api.get("/account")
    session.out.show(found, app_lines(found, str(account["email"])))


def app_lines(found: list[Record], me: str) -> Iterable[Line]:
    if not found:
        return ["You have no apps."]
    mine = [app for app in found if app["owner"]["email"] == me]
    others = [app for app in found if app["owner"]["email"] != me]
    lines: list[Line] = [header(f"{me} Apps"), "", *(app["name"] for app in mine), ""] if mine else []
    if others:
        lines += [header("Collaborated Apps"), ""]
        lines += [join(app["name"], "  ", (app["owner"]["email"], "dim")) for app in others] + [""]
    return lines


@commands.command(
    "info",
    needs="app",
    aliases=("apps:info",),
    shape='{"app", "addons", "collaborators", "dynos"}',
    examples=(
        ("baton info --app shop", "address, dynos, add-ons, sizes"),
        ("baton info -a shop --shell", "the same as KEY=value lines, to be read by a shell"),
    ),
)
def info(
    session: Session,
    shell: Annotated[bool, typer.Option("-s", "--shell", help="Print KEY=value lines.")] = False,
) -> None:
    """Show an app."""
    record = {
        "app": session.details(),
        "addons": session.api.every(session.at("addons")),
        "collaborators": session.api.every(session.at("collaborators")),
        "dynos": session.api.every(session.at("dynos")),
    }
    session.out.show(record, shell_lines(record) if shell else info_lines(record))


def info_lines(record: Record) -> list[Line]:
    app, owner = record["app"], record["app"]["owner"]["email"]
    counted = Counter(dyno["type"] for dyno in record["dynos"])
    helpers = [
        person["user"]["email"] for person in record["collaborators"] if person["user"]["email"] != owner
    ]
    shown = {
        "Addons": ", ".join(addon["plan"]["name"] for addon in record["addons"]),
        "Collaborators": ", ".join(helpers),
        "Dynos": ", ".join(f"{kind}: {count}" for kind, count in sorted(counted.items())),
        "Git URL": app["git_url"],
        "Maintenance": "on" if app["maintenance"] else "",
        "Owner": owner,
        "Region": app["region"]["name"],
        "Repo Size": file_size(app["repo_size"]),
        "Slug Size": file_size(app["slug_size"]),
        "Stack": app["stack"]["name"],
        "Web URL": app["web_url"],
    }
    return [header(app["name"]), "", *pairs({key: value for key, value in shown.items() if value})]


def shell_lines(record: Record) -> list[Line]:
    app = record["app"]
    shown = {
        "create_status": "complete",
        "git_url": app["git_url"],
        "name": app["name"],
        "owner": app["owner"]["email"],
        "region": app["region"]["name"],
        "repo_size": str(app["repo_size"] or 0),
        "slug_size": str(app["slug_size"] or 0),
        "stack": app["stack"]["name"],
        "web_url": app["web_url"],
    }
    return [f"{key}={shlex.quote(value)}" for key, value in shown.items()]


@commands.command(
    "open",
    needs="app",
    aliases=("apps:open",),
    shape="app",
    examples=(("baton open", "the app in the browser"), ("baton open /admin/", "one of its pages")),
)
def open_app(
    session: Session,
    page: Annotated[str, typer.Argument(metavar="PATH", help="A page of the app.", show_default=False)] = "",
) -> None:
    """Open an app in the browser."""
    app = session.details()
    url = page_url(app["web_url"], page)
    if session.out.json:
        session.out.show(app)
        return
    session.out.note(join("Opening ", url))
    if not webbrowser.open(url):
        session.out.show(app, [url])


def page_url(web_url: str, page: str) -> str:
    return f"{web_url.rstrip('/')}/{page.lstrip('/')}"


@commands.command(
    "rename",
    needs="app",
    aliases=("apps:rename",),
    shape="app",
    examples=(("baton rename new-name --app old-name", "its address and its git remote change too"),),
)
def rename(
    session: Session,
    new_name: Annotated[str, typer.Argument(metavar="NEWNAME", help="The new name.")],
) -> None:
    """Give an app another name."""
    with session.out.action(join("Renaming ", app_name(session.app), " to ", new_name)):
        app = session.api.patch(session.at(), {"name": checked(new_name)})
    url = git.remote_url(session.server, app["name"])
    for name in _remotes_of(session, session.app):
        git.set_remote(name, url)
        session.out.note(f"Git remote {name} updated")
    session.out.show(app, [join(app["web_url"], " | ", url)])


def _remotes_of(session: Session, app: str) -> list[str]:
    found = [(remote, remote_target(remote, {session.server})) for remote in git.remotes() or ()]
    return [remote.name for remote, target in found if target and target.app == app]


@commands.command(
    "destroy",
    needs="app",
    aliases=("apps:destroy", "apps:delete"),
    shape="app",
    examples=(
        ("baton destroy --app shop", "asks you to type the name"),
        ("baton destroy --app shop --confirm shop", "asks nothing"),
    ),
)
def destroy(
    session: Session,
    confirm: Annotated[
        str | None, typer.Option("-c", "--confirm", metavar="NAME", help="The app's name, again.")
    ] = None,
) -> None:
    """Delete an app, its add-ons and its data, for good."""
    app = session.details()
    _confirmed(session, app["name"], confirm)
    with session.out.action(join("Destroying ", app_name(app["name"]), " (including all add-ons)")):
        gone = session.api.delete(session.at())
    for name in _remotes_of(session, app["name"]):
        git.run(["remote", "remove", name])
    session.out.show(gone or app)


def _confirmed(session: Session, name: str, typed: str | None) -> None:
    """Raises NotConfirmed unless the name was typed, UsageError when there is nobody to ask."""
    if typed is None:
        if not sys.stdin.isatty():
            raise UsageError(f"This deletes {name} for good.", f"To go on, add --confirm {name}")
        session.out.warn(f"WARNING: This will delete ⬢ {name} including all add-ons.")
        session.out.warn(f"To proceed, type {name} or re-run this command with --confirm {name}")
        sys.stderr.write("\n> ")
        sys.stderr.flush()
        typed = sys.stdin.readline().strip()
    if typed != name:
        raise NotConfirmed(f"Confirmation {typed!r} did not match {name}. Nothing was deleted.")
