"""From records to what the supervisor is told: pure functions over an app, a release and its formation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC

from baton.control.models import App, Formation, Release, Slug
from baton.run.specs import AppSpec, Health, Mount, ProcessSpec

BOOT_SECONDS = 60  # Heroku's R10
LONGEST_BOOT_SECONDS = 600
RELEASE_TYPE = "release"


def spec_of(
    app: App,
    release: Release,
    config: Mapping[str, str],
    formation: Iterable[Formation],
    hosts: tuple[str, ...],
) -> AppSpec:
    """`hosts`: every name routed to the app, custom domains first."""
    slug = release.slug if release.slug and release.slug.path else None
    return AppSpec(
        key=app.key,
        name=app.name,
        app_id=str(app.id),
        release=release.version,
        release_id=str(release.id),
        slug=slug.path if slug else None,
        mounts=tuple(Mount(**mount) for mount in slug.mounts) if slug else (),
        env=environment(app, release, config),
        processes=processes(slug, formation, config) if slug else (),
        uid=app.uid,
        gid=app.uid,
        health=health(config, hosts),
        maintenance=app.maintenance,
        hosts=hosts,
        commit=slug.commit if slug else "",
        description=release.description,
    )


def environment(app: App, release: Release, config: Mapping[str, str]) -> dict[str, str]:
    """Config vars and what Heroku calls dyno metadata."""
    slug = release.slug
    created = release.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if release.created_at else ""
    return {
        **config,
        "HEROKU_APP_ID": str(app.id),
        "HEROKU_APP_NAME": app.name,
        "HEROKU_RELEASE_CREATED_AT": created,
        "HEROKU_RELEASE_VERSION": f"v{release.version}",
        "HEROKU_SLUG_COMMIT": slug.commit if slug else "",
        "HEROKU_SLUG_DESCRIPTION": slug.commit_description if slug else "",
    }


def processes(
    slug: Slug, formation: Iterable[Formation], config: Mapping[str, str]
) -> tuple[ProcessSpec, ...]:
    """One a process type of the slug, in its order; the release type has no formation to run."""
    rows = {row.type: row for row in formation}
    singletons = {name.strip() for name in config.get("BATON_STOP_FIRST", "").split(",")}
    return tuple(
        ProcessSpec(kind, command, rows[kind].quantity, rows[kind].size, stop_first=kind in singletons)
        for kind, command in slug.process_types.items()
        if kind in rows and kind != RELEASE_TYPE
    )


def health(config: Mapping[str, str], hosts: tuple[str, ...]) -> Health:
    path = config.get("BATON_HEALTH_PATH") or None
    return Health(host=hosts[0] if hosts else "localhost", path=path, timeout=boot_seconds(config))


def boot_seconds(config: Mapping[str, str]) -> int:
    asked = config.get("BATON_HEALTH_TIMEOUT", "")
    return min(int(asked), LONGEST_BOOT_SECONDS) if asked.isdigit() and int(asked) else BOOT_SECONDS
