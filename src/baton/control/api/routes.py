"""Which path and method means which endpoint."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path, re_path

from baton.control.api import (
    absent,
    accounts,
    apps,
    auth,
    buildpacks,
    builds,
    catalogue,
    config,
    domains,
    dynos,
    formation,
    logs,
    rawpath,
    releases,
    slugs,
    streams,
)
from baton.control.api.frame import resource

__all__ = ["rawpath", "routes"]  # the paths' converter `part` comes with rawpath


def _one(route: str, **endpoints: Any) -> URLPattern:
    return path(route, resource(**endpoints))


_ACCOUNT = [
    _one("account", GET=accounts.show, PATCH=accounts.update),
    _one("account/rate-limits", GET=accounts.rate_limits),
    _one("account/delinquency", GET=accounts.delinquency),
    _one("account/features", GET=absent.nothing),
    _one("account/features/<part:feature>", GET=absent.missing("feature"), PATCH=absent.missing("feature")),
    _one("account/keys", GET=absent.nothing),
    _one("account/keys/<part:key>", GET=absent.missing("key"), DELETE=absent.missing("key")),
    _one("account/app-transfers", GET=absent.nothing),
    _one("account/invoices", GET=absent.nothing),
    _one("account/credits", GET=absent.nothing),
    _one("accounts/<part:user>/actions/get-quota", GET=accounts.quota),
    _one("users/<part:user>", GET=accounts.show_user, PATCH=accounts.update_user),
    _one("users/<part:user>/apps", GET=accounts.apps_of_user),
    _one(
        "oauth/authorizations",
        access=auth.by_token_or_password,
        GET=accounts.authorizations,
        POST=accounts.create_authorization,
    ),
    _one(
        "oauth/authorizations/<part:token>",
        GET=accounts.authorization,
        PATCH=accounts.update_authorization,
        DELETE=accounts.revoke_authorization,
    ),
    _one("oauth/authorizations/<part:token>/actions/regenerate-tokens", POST=accounts.regenerate_tokens),
    _one("oauth/clients", GET=absent.nothing),
    _one("oauth/sessions", GET=absent.nothing),
    _one("oauth/sessions/<part:session>", GET=accounts.no_session, DELETE=accounts.no_session),
    _one("oauth/tokens", POST=accounts.exchange_token),
    _one("oauth/tokens/<part:token>", DELETE=accounts.revoke_token),
]

_APPS = [
    _one("apps", GET=apps.index, POST=apps.create),
    _one("apps/<part:app>", GET=apps.show, PATCH=apps.update, DELETE=apps.destroy),
    _one("filters/apps", POST=apps.filtered),
    _one("apps/<part:app>/collaborators", GET=apps.collaborators),
    _one("apps/<part:app>/collaborators/<part:collaborator>", GET=apps.collaborator),
]

_DEPLOYS = [
    _one("apps/<part:app>/config-vars", GET=config.show, PATCH=config.update),
    _one("apps/<part:app>/releases", GET=releases.index, POST=releases.create),
    _one("apps/<part:app>/releases/<part:release>", GET=releases.show),
    _one("apps/<part:app>/releases/<part:release>/config-vars", GET=config.of_release),
    _one("apps/<part:app>/builds", GET=builds.index, POST=builds.create),
    _one("apps/<part:app>/builds/<part:build>", GET=builds.show, DELETE=builds.cancel),
    _one("apps/<part:app>/buildpack-installations", GET=buildpacks.index, PUT=buildpacks.replace),
    _one("apps/<part:app>/slugs", POST=slugs.create),
    _one("apps/<part:app>/slugs/<part:slug>", GET=slugs.show),
    _one("apps/<part:app>/sources", POST=slugs.create_source_of_app),
    _one("sources", POST=slugs.create_source),
    _one("buildpacks", access=None, GET=buildpacks.registry_index),
    _one("buildpacks/<part:slug>", access=None, GET=buildpacks.registry_show),
    _one("buildpacks/<part:slug>/revisions", access=None, GET=buildpacks.registry_revisions),
    _one("buildpacks/<part:slug>/readme", access=None, GET=buildpacks.registry_readme),
]

_RUNNING = [
    _one("apps/<part:app>/formation", GET=formation.index, PATCH=formation.batch),
    _one("apps/<part:app>/formation/<part:formation>", GET=formation.show, PATCH=formation.update),
    _one("apps/<part:app>/formations/<part:kind>", DELETE=dynos.restart_type),
    _one("apps/<part:app>/formations/<part:kind>/actions/stop", POST=dynos.stop_type),
    _one("apps/<part:app>/dynos", GET=dynos.index, POST=dynos.create, DELETE=dynos.restart_all),
    _one("apps/<part:app>/dynos/<part:dyno>", GET=dynos.show, DELETE=dynos.restart),
    _one("apps/<part:app>/dynos/<part:dyno>/actions/stop", POST=dynos.stop),
    _one("apps/<part:app>/domains", GET=domains.index, POST=domains.create),
    _one(
        "apps/<part:app>/domains/<part:domain>",
        GET=domains.show,
        PATCH=domains.update,
        DELETE=domains.destroy,
    ),
    _one("apps/<part:app>/log-sessions", POST=logs.create),
]

_STREAMS = [
    path("streams/build/<part:part>", streams.build_output),
    path("streams/release/<part:part>", streams.release_output),
    path("streams/logs/<part:part>", streams.logs),
    path("streams/source/<part:part>", streams.source),
    path("streams/slug/<part:part>", streams.slug),
]

_CATALOGUE = [
    _one("stacks", GET=catalogue.stacks),
    _one("stacks/<part:stack>", GET=catalogue.stack),
    _one("apps/<part:app>/available-stacks", GET=catalogue.stacks_of_app),
    _one("regions", GET=catalogue.regions),
    _one("regions/<part:region>", GET=catalogue.region),
    _one("dyno-sizes", GET=catalogue.dyno_sizes),
    _one("dyno-sizes/<part:size>", GET=catalogue.dyno_size),
    _one("apps/<part:app>/available-dyno-sizes", GET=catalogue.dyno_sizes_of_app),
    _one("generations", GET=catalogue.generations),
    _one("generations/<part:generation>", GET=catalogue.generation),
    _one("authority", GET=catalogue.authority),
    _one("schema", access=None, GET=catalogue.platform_schema),
]

_ABSENT = [
    *(
        _one(name, GET=absent.nothing)
        for name in (
            "addons",
            "addon-attachments",
            "addon-services",
            "pipelines",
            "pipeline-couplings",
            "users/~/pipeline-couplings",
            "teams",
            "spaces",
            "enterprise-accounts",
            "telemetry-drains",
        )
    ),
    *(
        _one(f"apps/<part:app>/{name}", GET=absent.nothing_of_app)
        for name in (
            "addons",
            "addon-attachments",
            "features",
            "log-drains",
            "sni-endpoints",
            "ssl-endpoints",
            "webhooks",
            "telemetry-drains",
        )
    ),
    _one("apps/<part:app>/pipeline-couplings", GET=absent.missing("pipeline coupling")),
    _one("apps/<part:app>/review-app", GET=absent.missing("review app")),
    _one(
        "apps/<part:app>/addons/<part:addon>", GET=absent.missing("add-on"), DELETE=absent.missing("add-on")
    ),
    _one("apps/<part:app>/addon-attachments/<part:attachment>", GET=absent.missing("add-on attachment")),
    _one(
        "apps/<part:app>/features/<part:feature>",
        GET=absent.missing("feature"),
        PATCH=absent.missing("feature"),
    ),
    _one("addons/<part:addon>", GET=absent.missing("add-on")),
    _one("addons/<part:addon>/addon-attachments", GET=absent.missing("add-on")),
    _one("addon-attachments/<part:attachment>", GET=absent.missing("add-on attachment")),
    _one("addon-services/<part:service>", GET=absent.missing("add-on service")),
    _one("addon-services/<part:service>/plans", GET=absent.missing("add-on service")),
    _one("actions/addons/resolve", POST=absent.missing("add-on")),
    _one("actions/addon-attachments/resolve", POST=absent.missing("add-on attachment")),
    _one("pipelines/<part:pipeline>", GET=absent.missing("pipeline")),
    _one("teams/<part:team>", GET=absent.missing("team")),
    _one("spaces/<part:space>", GET=absent.missing("space")),
]

routes = [
    *_ACCOUNT,
    *_APPS,
    *_DEPLOYS,
    *_RUNNING,
    *_STREAMS,
    *_CATALOGUE,
    *_ABSENT,
    re_path(r"", absent.unknown),
]
