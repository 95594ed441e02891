"""From a tree to a release: a build's record, its turn, its directory, the slug it yields, and the release made of that."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

from baton.base.errors import BatonError
from baton.build.errors import BuildError
from baton.build.errors import Cancelled as BuildCancelled
from baton.build.request import BuildRequest, Limits
from baton.build.request import Slug as MadeSlug
from baton.control import configuration, ledger, machine, operations, releases, settling, sources, threads
from baton.control.errors import Cancelled, Conflict
from baton.control.models import App, Build, Operation, Release, Slug, User
from baton.control.operations import Kind
from baton.control.outputs import Output
from baton.control.states import Event, Status
from baton.control.turns import turn

log = logging.getLogger(__name__)
Say = Callable[[str], None]
Fetch = Callable[[Path], None]
MEGABYTE = 1024 * 1024

_cancelled: dict[UUID, threading.Event] = {}


def from_push(app: App, user: User, commit: str, fetch: Fetch, say: Say, gone: Callable[[], bool]) -> Release:
    """Builds and releases a pushed commit; `fetch` writes its files. Raises BatonError with what to do."""
    build = ledger.open_build(app, user, commit=commit, version=commit)
    return _run(build, (), fetch, say, gone)


def from_source(
    app: App, source_url: str, version: str, user: User, buildpacks: Sequence[str] | None
) -> Build:
    """Starts a thread that builds and releases the tar.gz at `source_url`; the record is pending when this returns."""
    sources.check(source_url)
    build = ledger.open_build(app, user, source_url=source_url, version=version)

    def work() -> None:
        try:
            _run(
                build,
                tuple(buildpacks or ()),
                lambda target: sources.fetch(source_url, target),
                releases.quiet,
                None,
            )
        except BatonError as error:
            log.info("build %s of %s: %s", build.id, app.name, error.code)
        except Exception:
            log.exception("build %s of %s", build.id, app.name)

    threads.start(work)
    return build


def cancel(build: Build, user: User) -> None:
    """Asks a build of this process to stop; one that nobody owns any more is closed. Raises Conflict."""
    build.refresh_from_db()
    if build.status != Status.PENDING:
        raise Conflict(f"The build is not running any more: it {build.status}.")
    operation = operations.open_operations(build.app).filter(build=build).first()
    if build.id in _cancelled:
        _cancelled[build.id].set()
        releases.tell(build.app, f"Build cancelled by user {user.email}")
    elif operation is not None and not operations.is_owned(operation):
        settling.settle(operation, machine.home(), machine.supervisor().status())
    else:
        ledger.fail_waiting_build(build, "Cancelled before it began.")


def cancel_all() -> None:
    for event in list(_cancelled.values()):
        event.set()


def cancel_of(app: App) -> None:
    for build in app.builds.filter(status=Status.PENDING):
        if build.id in _cancelled:
            _cancelled[build.id].set()


def _run(
    build: Build, buildpacks: Sequence[str], fetch: Fetch, say: Say, gone: Callable[[], bool] | None
) -> Release:
    output = Output(machine.home(), build.id)
    event = _cancelled.setdefault(build.id, threading.Event())

    def both(line: str) -> None:
        output.write(line)
        say(line)

    def cancelled() -> bool:
        return event.is_set() or (gone is not None and gone())

    try:
        return _in_turn(build, buildpacks, fetch, both, cancelled)
    except BatonError as error:
        ledger.fail_waiting_build(build, str(error))
        if gone is None:
            _explain(error, both)
        raise
    finally:
        del _cancelled[build.id]
        output.close()


def _in_turn(
    build: Build, buildpacks: Sequence[str], fetch: Fetch, say: Say, cancelled: Callable[[], bool]
) -> Release:
    app, user, home = build.app, build.user, machine.home()
    with turn(app, Kind.BUILD, user, build=build, say=say, cancelled=cancelled) as operation:
        try:
            made = _build(operation, build, buildpacks, fetch, say, cancelled)
            release = _release(build, made, say, cancelled)
            ledger.finish_build(operation, release)
        except BuildCancelled as error:
            raise Cancelled(error.message, error.hint) from error
        except BuildError:
            releases.tell(app, "Build failed -- check your build output")
            raise
        finally:
            settling.discard(build, home)
    releases.tell(app, "Build succeeded")
    _announce(app, release, say)
    return release


def _build(
    operation: Operation,
    build: Build,
    buildpacks: Sequence[str],
    fetch: Fetch,
    say: Say,
    cancelled: Callable[[], bool],
) -> MadeSlug:
    from baton.build.build import build as make_slug
    from baton.build.disk import disk_check

    app, home = build.app, machine.home()
    operations.move(operation, Event.START_BUILD)
    releases.tell(app, f"Build started by user {build.user.email}")
    disk_check(home)
    request = _request(build, buildpacks)
    request.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    fetch(request.source)
    made = make_slug(request, say, cancelled)
    build.buildpacks = list(made.buildpacks)
    ledger.record_slug(operation, build, slug_record(app, build, made))
    return made


def _request(build: Build, buildpacks: Sequence[str]) -> BuildRequest:
    app, home, as_root = build.app, machine.home(), machine.is_root()
    config = configuration.current(home, app)
    named = tuple(buildpacks) or tuple(app.buildpacks.values_list("url", flat=True))
    if not named and config.get("BUILDPACK_URL"):
        named = (config["BUILDPACK_URL"],)
    return BuildRequest(
        home=home,
        key=app.key,
        build_id=str(build.id),
        source=home.builds / str(build.id) / "app",
        buildpacks=named,
        env={**config, "SOURCE_VERSION": build.commit or build.version},
        uid=app.build_uid if as_root else None,
        gid=app.build_uid if as_root else None,
        commit=build.commit,
        stack=app.stack,
        limits=limits(),
        owner=(app.uid, app.uid) if as_root else None,
    )


def limits() -> Limits:
    settings = machine.options()
    return Limits(
        memory=settings.build_memory_mb * MEGABYTE,
        seconds=settings.build_seconds,
        reserve=settings.disk_reserve_mb * MEGABYTE,
    )


def slug_record(app: App, build: Build, made: MadeSlug) -> Slug:
    return Slug(
        id=build.id,
        app=app,
        path=str(made.path),
        process_types=made.process_types,
        mounts=[asdict(mount) for mount in made.mounts],
        static=asdict(made.static) if made.static else None,
        buildpack_provided_description=made.provided[:200],
        commit=build.commit,
        commit_description=f"Deploy {short(build)}",
        size=made.size,
        stack=app.stack,
    )


def short(build: Build) -> str:
    """What a release's description calls the thing that was built."""
    return (build.commit or build.version)[:8] or str(build.id)[:8]


def _release(build: Build, made: MadeSlug, say: Say, cancelled: Callable[[], bool]) -> Release:
    def choose(before: Release | None) -> releases.Wanted:
        config = configuration.current(machine.home(), build.app)
        if before is None or before.slug is None:
            config = configuration.with_defaults(config, made.config_vars)
        return releases.Wanted(build.slug, config, f"Deploy {short(build)}")

    say("-----> Launching...")
    return releases.make(build.app, build.user, choose, say=say, cancelled=cancelled)


def _announce(app: App, release: Release, say: Say) -> None:
    say(f"       Released v{release.version}")
    say(f"       {machine.options().web_url(app.name)} deployed to Baton")
    say("")


def _explain(error: BatonError, say: Say) -> None:
    say("")
    for line in str(error).splitlines():
        say(f" !     {line}")
