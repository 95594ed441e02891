"""A checked-out tree becomes a slug: the whole of a build, in order."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from baton.build import (
    classic,
    dependencies,
    detect,
    nodejs,
    procfile,
    python,
    slugignore,
    static,
    storage,
    tree,
)
from baton.build.cage import Cage, check_disk
from baton.build.errors import BuildError, DiskFull
from baton.build.output import Output
from baton.build.request import BuildRequest, Slug, StaticFiles
from baton.build.workshop import Contribution, Workshop

# Directories that only a build needs, or that are mounted over.
LEFT_BEHIND = (".git", ".cache")


def build(request: BuildRequest, out: Callable[[str], None], cancelled: Callable[[], bool]) -> Slug:
    """Build `request.source`, saying what happens to `out` line by line. Raises BuildError, which `out` has
    then been told.

    `cancelled` is polled about ten times a second. Whatever happens, only a complete slug stays, with the
    trees that it needs.
    """
    output = Output(out, request.env)
    try:
        return _build_or_clear(request, output, cancelled)
    except BuildError as error:
        error.excerpt = tuple(output.redact(line) for line in error.excerpt)
        output.error(error)
        raise


def _build_or_clear(request: BuildRequest, output: Output, cancelled: Callable[[], bool]) -> Slug:
    request.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    running = dependencies.acquire(running_lock(request), shared=False, cancelled=cancelled)
    request.directory.chmod(0o700)
    shop = Workshop(request, request.source, Cage(request, output, cancelled), output)
    shop.leases.append(dependencies.acquire(storage.cache_lock(request.home, request.key), shared=True))
    try:
        return _build(shop, cancelled)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(request) from error
        raise
    finally:
        shop.release()
        tree.remove(request.directory)
        running_lock(request).unlink(missing_ok=True)
        running.release()


def running_lock(request: BuildRequest) -> Path:
    """Held as long as the build runs: the kernel lets go of it when the process dies."""
    return request.home.builds / ".locks" / request.build_id


def _full(request: BuildRequest) -> DiskFull:
    usage = os.statvfs(request.home.root)
    return DiskFull(request.home.root, usage.f_bavail * usage.f_frsize, request.limits.reserve)


def _build(shop: Workshop, cancelled: Callable[[], bool]) -> Slug:
    request = shop.request
    check_disk(request.home, request.limits.reserve)
    shop.cage.require()
    request.home.deps.mkdir(mode=0o700, parents=True, exist_ok=True)
    shop.out.title(f"Building on the {request.stack.capitalize()} stack")
    prepare(shop)
    names = detect.choose(shop.root, request.buildpacks)
    said = [run_buildpack(shop, name, number) for number, name in enumerate(names)]
    types = process_types(shop, said)
    found = static_files(shop, cancelled)
    return finish(shop, names, said, types, found)


def prepare(shop: Workshop) -> None:
    """Check what was pushed, leave out what .slugignore says, and hand the tree to the cage's user."""
    tree.measure(shop.root, shop.request.limits)
    for name in LEFT_BEHIND:
        tree.remove(shop.root / name)
    text = tree.read_text(shop.root, ".slugignore", slugignore.LIMIT)
    if text:
        leave_out(shop, slugignore.parse(text))
    tree.give(shop.root, shop.request.uid, shop.request.gid, shop.request.limits)


def leave_out(shop: Workshop, patterns: Sequence[slugignore.Pattern]) -> None:
    found = []
    for entry in tree.walk(shop.root, shop.request.limits):
        if slugignore.ignored(patterns, entry.name, is_directory=entry.is_directory):
            found.append(entry.path)
    for path in found:
        tree.remove(Path(path))
    if found:
        shop.out.title(f"Leaving out {len(found)} files and directories that match .slugignore patterns.")


def run_buildpack(shop: Workshop, name: str, number: int) -> Contribution:
    if name == detect.PYTHON:
        return python.build(shop)
    if name == detect.NODEJS:
        return nodejs.build(shop)
    return classic.build(shop, name, number)


def process_types(shop: Workshop, said: Sequence[Contribution]) -> dict[str, str]:
    """The Procfile's, and of the last buildpack those that the Procfile does not have.

    Raises ProcfileError.
    """
    shop.out.title("Discovering process types")
    text = tree.read_text(shop.root, "Procfile", procfile.LIMIT)
    declared = procfile.parse(text) if text else {}
    default = {name: command for name, command in said[-1].process_types.items() if name not in declared}
    if text is None and not default:
        shop.out.warn(
            "There is no Procfile, so nothing will run. Commit one: echo 'web: gunicorn myproject.wsgi' > "
            "Procfile"
        )
    if text is not None:
        shop.out.detail(f"Procfile declares types -> {', '.join(sorted(declared)) or '(none)'}")
    if default:
        shop.out.detail(f"Default types for buildpack -> {', '.join(sorted(default))}")
    return {**declared, **default}


def static_files(shop: Workshop, cancelled: Callable[[], bool]) -> StaticFiles | None:
    """The app's hashed static files, each with its compressed variants beside it."""
    if shop.static is None:
        return None
    url, root = shop.static
    found = static.find(shop.root, url, root, shop.request.limits)
    if found is None:
        return None
    compressed = static.compress(shop.root, found, static.variants(shop.request.home), cancelled)
    files = "1 hashed static file" if len(found.hashed) == 1 else f"{len(found.hashed)} hashed static files"
    shop.out.title(f"Found {files} at {url} ({compressed} compressed ahead)")
    return found


def finish(
    shop: Workshop,
    names: Sequence[str],
    said: Sequence[Contribution],
    types: dict[str, str],
    found: StaticFiles | None,
) -> Slug:
    """Take the tree out of the cage's hands and put it in its place, complete."""
    request = shop.request
    shop.out.title("Compressing...")
    size = tree.seal(shop.root, request.owner, request.limits)
    shop.out.detail(f"Done: {shown_size(size)}")
    request.home.slugs.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = request.home.slugs / request.build_id
    write_manifest(path, shop)
    tree.remove(path)
    shop.root.rename(path)
    config: dict[str, str] = {}
    for contribution in said:
        config |= contribution.config_vars
    return Slug(
        path=path,
        process_types=types,
        mounts=tuple(shop.mounts),
        buildpacks=tuple(names),
        provided=said[-1].provided,
        config_vars=config,
        addons=tuple(dict.fromkeys(addon for contribution in said for addon in contribution.addons)),
        static=found,
        size=size,
    )


def write_manifest(slug: Path, shop: Workshop) -> None:
    """What the slug needs besides itself, for `collect`: there before the slug is, so no tree of a slug's is
    ever unclaimed.
    """
    path = manifest(slug)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps({"mounts": [mount.source for mount in shop.mounts]}))
    scratch.replace(path)


def manifest(slug: Path) -> Path:
    return slug.with_name(f"{slug.name}.json")


def shown_size(size: int) -> str:
    return f"{size / 1_048_576:.1f}M" if size >= 104_858 else f"{size / 1024:.1f}K"
