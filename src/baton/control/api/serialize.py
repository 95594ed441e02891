"""Records as Heroku's JSON: pure functions, each with the shape that the published schema gives."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from baton.base.ids import is_uuid
from baton.base.settings import Settings
from baton.control.models import (
    App,
    Build,
    BuildpackInstallation,
    Domain,
    Dyno,
    Formation,
    LogSession,
    Release,
    Slug,
    Token,
    User,
)

Json = dict[str, Any]
_NAMES = uuid.uuid5(uuid.NAMESPACE_DNS, "baton")
_REGISTRY = "https://buildpack-registry.s3.amazonaws.com/buildpacks/"
_SHORT = re.compile(r"[\w-]+/[\w-]+")
HIDDEN = "HRKU-********"


def named_id(kind: str, name: str) -> str:
    """The UUID of something that is known by its name only, the same on every machine."""
    return str(uuid.uuid5(_NAMES, f"{kind}:{name}"))


def named(kind: str, name: str) -> Json:
    return {"id": named_id(kind, name), "name": name}


def moment(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(value: datetime | None) -> str | None:
    return moment(value) if value else None


def _times(record: Any) -> Json:
    return {"created_at": moment(record.created_at), "updated_at": moment(record.updated_at)}


def _app(app: App) -> Json:
    return {"id": str(app.pk), "name": app.name}


def _user(user: User) -> Json:
    return {"id": str(user.pk), "email": user.email}


def account(user: User) -> Json:
    return {
        "id": str(user.pk),
        "email": user.email,
        "name": user.name or None,
        "allow_tracking": False,
        "beta": False,
        "country_of_residence": None,
        "default_organization": None,
        "default_team": None,
        "delinquent_at": None,
        "federated": False,
        "identity_provider": None,
        "last_login": _moment(user.last_login),
        "sms_number": None,
        "suspended_at": None,
        "two_factor_authentication": False,
        "verified": True,
        **_times(user),
    }


def authorization(token: Token, now: datetime, secret: str | None = None) -> Json:
    """`secret` is the token's text where it is known: on creation, and to the one who calls with it."""
    left = None if token.expires_at is None else max(0, int((token.expires_at - now).total_seconds()))
    return {
        "id": str(token.pk),
        "access_token": {"id": str(token.pk), "token": secret or HIDDEN, "expires_in": left},
        "client": None,
        "description": token.description,
        "grant": None,
        "refresh_token": None,
        "scope": token.scope,
        "session": None,
        "user": {**_user(token.user), "full_name": token.user.name or None},
        **_times(token),
    }


def app(app: App, machine: Settings) -> Json:
    return {
        **_app(app),
        "acm": False,
        "archived_at": None,
        "build_stack": named("stack", app.stack),
        "buildpack_provided_description": getattr(app, "provided", None) or None,
        "create_status": "complete",
        "generation": named("generation", "cedar"),
        "git_url": f"{machine.control_url}/{app.name}.git",
        "internal_routing": None,
        "maintenance": app.maintenance,
        "organization": None,
        "owner": _user(app.owner),
        "region": named("region", app.region),
        "released_at": _moment(app.released_at),
        "repo_size": app.repo_size or 0,
        "slug_size": app.slug_size or 0,
        "space": None,
        "stack": named("stack", app.stack),
        "team": None,
        "web_url": machine.web_url(app.name),
        **_times(app),
    }


def collaborator(app: App, user: User) -> Json:
    return {
        "id": str(uuid.uuid5(app.pk, str(user.pk))),
        "app": _app(app),
        "permissions": [],
        "role": "owner" if app.owner_id == user.pk else "collaborator",
        "user": {**_user(user), "federated": False},
        **_times(app),
    }


def build(build: Build, output: str) -> Json:
    return {
        "id": str(build.pk),
        "app": {"id": str(build.app_id)},
        "buildpacks": [buildpack(url) for url in build.buildpacks],
        "generation": "cedar",
        "output_stream_url": output,
        "release": {"id": str(build.release_id)} if build.release_id else None,
        "slug": {"id": str(build.slug_id)} if build.slug_id else None,
        "source_blob": {
            "checksum": None,
            "url": build.source_url,
            "version": build.version or build.commit or None,
            "version_description": None,
        },
        "stack": build.app.stack,
        "status": build.status,
        "user": _user(build.user),
        **_times(build),
    }


def slug(slug: Slug, blob: Json) -> Json:
    return {
        "id": str(slug.pk),
        "blob": blob,
        "buildpack_provided_description": slug.buildpack_provided_description or None,
        "checksum": slug.checksum or None,
        "commit": slug.commit or None,
        "commit_description": slug.commit_description or None,
        "deleted_at": None,
        "process_types": slug.process_types,
        "size": slug.size,
        "stack": named("stack", slug.stack),
        **_times(slug),
    }


def release(release: Release, output: str) -> Json:
    """`output` is given out only where a release phase ran: it has nothing to say otherwise."""
    slug = release.slug
    speaks = slug is not None and "release" in slug.process_types
    return {
        "id": str(release.pk),
        "addon_plan_names": [],
        "app": _app(release.app),
        "artifacts": [{"type": "slug", "id": str(slug.pk)}] if slug else [],
        "current": release.current,
        "description": release.description,
        "eligible_for_rollback": rollback_is_possible(release),
        "output_stream_url": output if speaks else None,
        "slug": {"id": str(slug.pk)} if slug else None,
        "status": release.status,
        "user": _user(release.user),
        "version": release.version,
        **_times(release),
    }


def rollback_is_possible(release: Release) -> bool:
    """It worked once, and its slug is still on disk."""
    slug = release.slug
    return release.status == Release.Status.SUCCEEDED and slug is not None and bool(slug.path)


def formation(record: Formation, command: str) -> Json:
    return {
        "id": str(record.pk),
        "app": _app(record.app),
        "command": command,
        "dyno_size": named("dyno-size", record.size),
        "quantity": record.quantity,
        "size": record.size,
        "type": record.type,
        **_times(
            record if record.created_at else record.app
        ),  # a type that was never released has no row yet
    }


def dyno(app: App, found: Mapping[str, Any], release_id: str) -> Json:
    """A dyno of the formation, as the supervisor tells of it."""
    identity = str(found.get("id", ""))
    return {
        "id": identity if is_uuid(identity) else str(uuid.uuid5(app.pk, f"{identity}:{found['name']}")),
        "app": _app(app),
        "attach_url": None,
        "command": found["command"],
        "created_at": found["since"],
        "name": found["name"],
        "release": {"id": release_id, "version": int(found["release"])},
        "size": found["size"],
        "state": found["state"],
        "type": found["type"],
        "updated_at": found["since"],
    }


def one_off(record: Dyno, attach_url: str | None) -> Json:
    """A one-off dyno as it is created; from then on the supervisor tells of it."""
    release = record.release
    return {
        "id": str(record.pk),
        "app": _app(record.app),
        "attach_url": attach_url,
        "command": record.command,
        "name": record.name,
        "release": {"id": str(release.pk), "version": release.version} if release else None,
        "size": record.size,
        "state": "starting",
        "type": record.type,
        **_times(record),
    }


def domain(record: Domain, machine: Settings) -> Json:
    target = f"{record.app.name}.{machine.domain}"
    return {
        "id": str(record.pk),
        "acm_status": None,
        "acm_status_reason": None,
        "app": _app(record.app),
        "cname": target if record.kind == "custom" else None,
        "hostname": record.hostname,
        "kind": record.kind,
        "sni_endpoint": None,
        "status": "none",  # nothing is to be waited for
        **_times(record),
    }


def log_session(record: LogSession, url: str) -> Json:
    return {"id": str(record.pk), "logplex_url": url, **_times(record)}


def installation(record: BuildpackInstallation) -> Json:
    return {"ordinal": record.ordinal, "buildpack": buildpack(record.url)}


def buildpack(url: str) -> Json:
    """The `heroku` program shows a short name only for the registry's own kind of URL."""
    if _SHORT.fullmatch(url):
        return {"url": f"{_REGISTRY}{url}.tgz", "name": url}
    return {"url": url, "name": url}
