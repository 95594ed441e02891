"""From a tree to a release.

A build's record, its turn, its directory, the slug it yields, and the release made of that.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import UUID

from baton.base.errors import BatonError
from baton.build import BuildError, BuildRequest, Limits, disk_check
from baton.build import Slug as MadeSlug
from baton.build import build as make_slug
from baton.build.output import error_lines
from baton.control import configuration, ledger, machine, operations, releases, settling, sources, threads
from baton.control.errors import Conflict
from baton.control.models import App, Build, Operation, Release, Slug, User
from baton.control.operations import Kind
from baton.control.outputs import Output
from baton.control.states import Event, Status
from baton.control.turns import never, turn

log = logging.getLogger(__name__)
Say = Callable[[str], None]
Fetch = Callable[[Path], None]
MEGABYTE = 1024 * 1024

_cancelled: dict[UUID, threading.Event] = {}


@dataclass(frozen=True)
class Job:
    """A build as it is carried out: `fetch` writes the files, `say` tells a line to whoever waits for it."""

    build: Build
    buildpacks: Sequence[str]
    fetch: Fetch
    say: Say
    cancelled: Callable[[], bool]


def from_push(
    app: App, user: User, commit: str, fetch: Fetch, *, say: Say, gone: Callable[[], bool]
) -> Release:
    """Builds and releases a pushed commit; `fetch` writes its files. Raises BatonError with what to do."""
    build = _open(app, user, commit=commit, version=commit)
    return _run(Job(build, (), fetch, say, gone))


def from_source(
    app: App, source_url: str, version: str, user: User, buildpacks: Sequence[str] | None
) -> Build:
    """Starts a thread that builds and releases the tar.gz at `source_url`.

    The record is pending when this returns.
    """
    sources.check(source_url)
    build = _open(app, user, source_url=source_url, version=version)
    packs = tuple(buildpacks or ())
    job = Job(build, packs, lambda target: sources.fetch(source_url, target), releases.quiet, never)

    def work() -> None:
        try:
            _run(job)
        except BatonError as error:
            log.info("build %s of %s: %s", build.id, app.name, error.code)
        except Exception:
            log.exception("build %s of %s", build.id, app.name)

    threads.start(work)
    return build


def _open(app: App, user: User, **fields: str) -> Build:
    build = ledger.open_build(app, user, **fields)
    _cancelled[build.id] = threading.Event()
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
        settling.settle(operation)
    else:
        raise Conflict("The build belongs to another process of Baton, which is about to end.", "Try again.")


def cancel_all() -> None:
    for event in list(_cancelled.values()):
        event.set()


def cancel_of(app: App) -> None:
    for build in app.builds.filter(status=Status.PENDING):
        if build.id in _cancelled:
            _cancelled[build.id].set()


def _run(job: Job) -> Release:
    """The job with its output also on disk, and open to `cancel`."""
    output = Output(machine.home(), job.build.id)
    event = _cancelled[job.build.id]

    def both(line: str) -> None:
        output.write(line)
        job.say(line)

    try:
        return _in_turn(replace(job, say=both, cancelled=lambda: event.is_set() or job.cancelled()))
    except BatonError as error:
        ledger.fail_waiting_build(job.build, str(error))
        if not isinstance(error, BuildError):  # a build says its own errors
            for line in explained(error):
                both(line)
        raise
    finally:
        del _cancelled[job.build.id]
        output.close()


def _in_turn(job: Job) -> Release:
    app, build = job.build.app, job.build
    with turn(app, Kind.BUILD, build.user, build=build, say=job.say, cancelled=job.cancelled) as operation:
        try:
            release = _release(job, _build(operation, job))
            ledger.finish_build(operation, release)
        except BuildError:
            releases.tell(app, "Build failed -- check your build output")
            raise
        finally:
            settling.discard(build, machine.home())
    releases.tell(app, "Build succeeded")
    _announce(app, release, job.say)
    return release


def _build(operation: Operation, job: Job) -> MadeSlug:
    build, home = job.build, machine.home()
    operations.move(operation, Event.START_BUILD)
    releases.tell(build.app, f"Build started by user {build.user.email}")
    try:
        disk_check(home)
    except BuildError as error:
        for line in error_lines(error):
            job.say(line)
        raise
    request = _request(build, job.buildpacks)
    request.directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    job.fetch(request.source)
    made = make_slug(request, job.say, job.cancelled)
    build.buildpacks = list(made.buildpacks)
    ledger.record_slug(operation, build, slug_record(build, made))
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


def slug_record(build: Build, made: MadeSlug) -> Slug:
    return Slug(
        id=build.id,
        app=build.app,
        path=str(made.path),
        process_types=made.process_types,
        mounts=[asdict(mount) for mount in made.mounts],
        static=asdict(made.static) if made.static else None,
        buildpack_provided_description=made.provided[:200],
        commit=build.commit,
        commit_description=f"Deploy {short(build)}",
        size=made.size,
        stack=build.app.stack,
    )


def short(build: Build) -> str:
    """What a release's description calls the thing that was built."""
    return (build.commit or build.version)[:8] or str(build.id)[:8]


def _release(job: Job, made: MadeSlug) -> Release:
    build = job.build

    def choose(before: Release | None) -> releases.Wanted:
        config = configuration.current(machine.home(), build.app)
        if before is None or before.slug is None:
            config = configuration.with_defaults(config, made.config_vars)
        return releases.Wanted(build.slug, config, f"Deploy {short(build)}")

    job.say("-----> Launching...")
    return releases.make(build.app, build.user, choose, say=job.say, cancelled=job.cancelled)


def _announce(app: App, release: Release, say: Say) -> None:
    say(f"       Released v{release.version}")
    say(f"       {machine.options().web_url(app.name)} deployed to Baton")
    say("")


def explained(error: BatonError) -> list[str]:
    return ["", *(f" !     {line}".rstrip() for line in str(error).splitlines()), ""]
