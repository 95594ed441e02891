from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.text import Text

from baton.cli import credential_helper
from baton.cli.commands import apps, buildpacks, builds, config, domains, logs, ps, releases, run
from baton.cli.errors import NotFound, UsageError
from baton.cli.output import Line

NOW = datetime(2026, 2, 3, 12, 0, 0, tzinfo=UTC)
THEN = "2026-02-03T11:55:00Z"
WHEN = "2026/02/03 11:55:00 +0000 (~ 5m ago)"
ME = {"email": "me@example.org"}


def plain(lines: Any) -> list[str]:
    def text(line: Line) -> str:
        return line.plain if isinstance(line, Text) else line

    return [text(line) for line in lines]


def dyno(name: str, state: str = "up", command: str = "gunicorn shop.wsgi") -> dict[str, Any]:
    kind = name.partition(".")[0]
    return {
        "name": name,
        "type": kind,
        "state": state,
        "size": "Basic",
        "command": command,
        "updated_at": THEN,
    }


def test_dynos_are_shown_by_type_in_the_order_of_their_numbers() -> None:
    found = [
        dyno("web.10"),
        dyno("worker.1", "crashed", "celery"),
        dyno("web.2"),
        dyno("run.7", command="bash"),
    ]
    assert plain(ps.dyno_lines("shop", found, NOW)) == [
        "=== run: one-off dynos",
        "",
        f"run.7: up {WHEN}: bash",
        "",
        "=== web (Basic): gunicorn shop.wsgi (2)",
        "",
        f"web.2: up {WHEN}",
        f"web.10: up {WHEN}",
        "",
        "=== worker (Basic): celery (1)",
        "",
        f"worker.1: crashed {WHEN}",
        "",
    ]
    assert plain(ps.dyno_lines("shop", [], NOW)) == ["No dynos on ⬢ shop"]


@pytest.mark.parametrize(
    ("word", "update"),
    [
        ("web=2", {"type": "web", "quantity": "2"}),
        ("web+1", {"type": "web", "quantity": "+1"}),
        ("web-1", {"type": "web", "quantity": "-1"}),
        ("celery-beat=1", {"type": "celery-beat", "quantity": "1"}),
        ("web=2:Standard-2X", {"type": "web", "quantity": "2", "size": "Standard-2X"}),
    ],
)
def test_a_change_of_scale_is_sent_as_the_api_takes_it(word: str, update: dict[str, str]) -> None:
    assert ps.parse_change(word) == update


@pytest.mark.parametrize("word", ["web", "web=", "=2", "web=two", "web=2:", "web==2", "web=-1"])
def test_what_is_no_change_of_scale_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="web=2"):
        ps.parse_change(word)


@pytest.mark.parametrize(
    ("target", "path", "words"),
    [
        (None, ("dynos",), "all dynos"),
        ("web", ("formations", "web"), "all web dynos"),
        ("web.1", ("dynos", "web.1"), "dyno web.1"),
    ],
)
def test_a_dyno_a_type_or_all_are_addressed(target: str | None, path: tuple[str, ...], words: str) -> None:
    assert (ps.dyno_path(target), ps.described(target)) == (path, words)


def release(version: int, status: str = "succeeded", current: bool = False) -> dict[str, Any]:
    return {
        "version": version,
        "status": status,
        "current": current,
        "description": "Deploy 0a1b2c3d",
        "user": ME,
        "created_at": THEN,
        "addon_plan_names": [],
        "eligible_for_rollback": status == "succeeded",
    }


def test_releases_show_the_current_one_and_what_failed() -> None:
    assert plain(releases.release_lines("shop", [release(12, "failed"), release(9, current=True)], NOW)) == [
        "=== ⬢ shop Releases - Current: v9",
        "",
        f"v12  Deploy 0a1b2c3d release command failed  me@example.org  {WHEN}",
        f"v9   Deploy 0a1b2c3d                         me@example.org  {WHEN}",
    ]


def test_a_release_is_shown_with_its_config_vars() -> None:
    assert plain(releases.info_lines(release(3), {"B": "2", "A": "1"}, NOW)) == [
        "=== Release v3",
        "",
        "By:     me@example.org",
        "Change: Deploy 0a1b2c3d",
        f"When:   {WHEN}",
        "",
        "=== v3 Config vars",
        "",
        "A: 1",
        "B: 2",
    ]


def test_rolling_back_goes_to_the_newest_good_release_before_the_current_one() -> None:
    found = [release(5, "failed"), release(4, current=True), release(3, "failed"), release(2), release(1)]
    assert releases._previous(found, "shop")["version"] == 2
    with pytest.raises(NotFound, match="no earlier release"):
        releases._previous(found[:3], "shop")


BUILD = {
    "id": "01234567-89ab-cdef-0123-456789abcdef",
    "status": "succeeded",
    "user": ME,
    "created_at": THEN,
    "source_blob": {"version": "0a1b2c3d4e5f60718293"},
    "buildpacks": [{"url": "https://example.org/pack.git"}, {"url": "x", "name": "heroku/python"}],
    "stack": "heroku-24",
    "release": {"id": "r"},
    "slug": None,
}


def test_builds_are_listed_newest_first_with_their_commit() -> None:
    older = {**BUILD, "created_at": "2026-02-01T00:00:00Z"}
    assert builds.newest([older, BUILD], 1) == [BUILD]
    assert plain(builds.build_lines("shop", [BUILD], NOW)) == [
        "=== ⬢ shop Builds",
        "",
        f"{BUILD['id']}  0a1b2c3d4e  succeeded  me@example.org  {WHEN}",
    ]
    assert "Buildpacks: https://example.org/pack.git, heroku/python" in plain(builds.info_lines(BUILD, NOW))


APP = {
    "name": "shop",
    "owner": ME,
    "git_url": "http://127.0.0.1:5100/shop.git",
    "web_url": "https://shop.localhost/",
    "maintenance": False,
    "region": {"name": "here"},
    "stack": {"name": "heroku-24"},
    "repo_size": 1500,
    "slug_size": None,
}


def test_an_app_is_shown_with_what_it_has_and_without_what_it_lacks() -> None:
    helper = {"user": {"email": "you@example.org"}}
    record = {
        "app": APP,
        "addons": [{"plan": {"name": "heroku-postgresql:essential-0"}}],
        "collaborators": [{"user": ME}, helper],
        "dynos": [dyno("web.1"), dyno("web.2")],
    }
    assert plain(apps.info_lines(record)) == [
        "=== shop",
        "",
        "Addons:        heroku-postgresql:essential-0",
        "Collaborators: you@example.org",
        "Dynos:         web: 2",
        "Git URL:       http://127.0.0.1:5100/shop.git",
        "Owner:         me@example.org",
        "Region:        here",
        "Repo Size:     1.5 KB",
        "Slug Size:     0 B",
        "Stack:         heroku-24",
        "Web URL:       https://shop.localhost/",
    ]
    assert "slug_size=0" in plain(apps.shell_lines(record))


def test_apps_of_others_stand_apart() -> None:
    theirs = {**APP, "name": "blog", "owner": {"email": "you@example.org"}}
    assert plain(apps.app_lines([APP, theirs], "me@example.org")) == [
        "=== me@example.org Apps",
        "",
        "shop",
        "",
        "=== Collaborated Apps",
        "",
        "blog  you@example.org",
        "",
    ]
    assert plain(apps.app_lines([], "me@example.org")) == ["You have no apps."]


@pytest.mark.parametrize(
    ("page", "url"),
    [
        ("", "https://shop.localhost/"),
        ("/admin/", "https://shop.localhost/admin/"),
        ("a", "https://shop.localhost/a"),
    ],
)
def test_a_page_is_opened_below_the_app(page: str, url: str) -> None:
    assert apps.page_url("https://shop.localhost/", page) == url


def test_config_vars_are_shown_for_eyes_and_for_shells() -> None:
    found = {"B": "two words", "A": "$x"}
    assert plain(config.config_lines("shop", found)) == [
        "=== ⬢ shop Config Vars",
        "",
        "A: $x",
        "B: two words",
    ]
    assert plain(config.shell_lines(found)) == ["A='$x'", "B='two words'"]
    assert plain(config.config_lines("shop", {})) == ["⬢ shop has no config vars."]


def test_pairs_keep_everything_behind_the_first_equals_sign() -> None:
    assert config.parse_pairs(["A=b=c", "B=", "C=two words"]) == {"A": "b=c", "B": "", "C": "two words"}


@pytest.mark.parametrize("typed", ["secret", "A B=secret", "=secret", "1A=secret"])
def test_a_bad_pair_is_refused_without_repeating_its_value(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        config.parse_pairs([typed])
    assert "secret" not in str(caught.value)


PYTHON, NODE = "heroku/python", "heroku/nodejs"
REGISTERED = "https://buildpack-registry.s3.amazonaws.com/buildpacks/heroku/python.tgz"


@pytest.mark.parametrize(
    ("before", "index", "after"),
    [
        ([], None, [NODE]),
        ([PYTHON], None, [PYTHON, NODE]),
        ([PYTHON], 1, [NODE, PYTHON]),
        ([PYTHON], 9, [PYTHON, NODE]),
    ],
)
def test_a_buildpack_is_added_at_its_place(before: list[str], index: int | None, after: list[str]) -> None:
    assert buildpacks.added(before, NODE, index) == after


def test_a_buildpack_is_replaced_or_removed_by_name_or_place() -> None:
    assert buildpacks.replaced([PYTHON, "x"], NODE, 1) == [NODE, "x"]
    assert buildpacks.replaced([PYTHON], NODE, 2) == [PYTHON, NODE]
    assert buildpacks.removed([NODE, REGISTERED], PYTHON, None) == [NODE]
    assert buildpacks.removed([NODE, PYTHON], None, 1) == [PYTHON]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda: buildpacks.added([REGISTERED], PYTHON, None), UsageError),
        (lambda: buildpacks.replaced([PYTHON], NODE, 3), UsageError),
        (lambda: buildpacks.removed([PYTHON], None, None), UsageError),
        (lambda: buildpacks.removed([PYTHON], PYTHON, 1), UsageError),
        (lambda: buildpacks.removed([PYTHON], NODE, None), NotFound),
        (lambda: buildpacks.removed([PYTHON], None, 2), NotFound),
    ],
)
def test_an_impossible_change_of_buildpacks_is_refused(change: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        change()


def test_buildpacks_are_shown_by_their_short_names_in_order() -> None:
    one = {"ordinal": 0, "buildpack": {"url": NODE, "name": NODE}}
    two = {"ordinal": 1, "buildpack": {"url": REGISTERED, "name": PYTHON}}
    assert plain(buildpacks.buildpack_lines("shop", [one, two])) == [
        "=== ⬢ shop Buildpacks",
        "",
        f"1. {NODE}",
        f"2. {PYTHON}",
    ]
    assert plain(buildpacks.buildpack_lines("shop", [two])) == ["=== ⬢ shop Buildpacks", "", PYTHON]


def test_domains_show_where_their_records_should_point() -> None:
    own = {"hostname": "shop.localhost", "kind": "heroku", "cname": None}
    custom = [
        {"hostname": "www.example.org", "kind": "custom", "cname": "shop.localhost"},
        {"hostname": "example.org", "kind": "custom", "cname": "shop.localhost"},
    ]
    assert plain(domains.domain_lines("shop", [own, *custom])) == [
        "=== ⬢ shop Baton Domain",
        "",
        "shop.localhost",
        "",
        "=== ⬢ shop Custom Domains",
        "",
        "Domain Name      DNS Record Type  DNS Target",
        "───────────────  ───────────────  ──────────────",
        "example.org      ALIAS or ANAME   shop.localhost",
        "www.example.org  CNAME            shop.localhost",
    ]


LINE = '2013-10-11T22:33:27.729077+00:00 heroku[router]: at=info path="/"'


def test_a_log_line_is_taken_apart_for_json() -> None:
    assert logs.parsed(LINE) == {
        "time": "2013-10-11T22:33:27.729077+00:00",
        "source": "heroku",
        "dyno": "router",
        "message": 'at=info path="/"',
    }
    assert logs.parsed("no log line")["message"] == "no log line"


def test_colouring_a_log_line_changes_none_of_its_text() -> None:
    assert logs.coloured(LINE).plain == LINE
    assert logs.coloured(LINE.replace("at=info", "\x1b[31mat\x1b[0m=info")).plain == LINE
    assert logs.colour_of("web.1") != logs.colour_of("web.2")


def test_a_dyno_is_asked_for_with_this_terminal_s_size() -> None:
    terminal = run.Terminal(interactive=True, kind="xterm", columns=120, lines=40)
    shape = {"TERM": "xterm", "COLUMNS": 120, "LINES": 40}
    assert run.dyno_request("ls", size=None, kind=None, env={"A": "1"}, terminal=terminal) == {
        "attach": True,
        "command": "ls",
        "env": {**shape, "A": "1"},
    }
    piped = run.Terminal(interactive=False, kind="dumb", columns=80, lines=24)
    assert run.dyno_request("ls", size="Basic", kind="worker", env={}, terminal=piped)["force_no_tty"] is True
    assert run.dyno_request("ls", size=None, kind=None, env={}, terminal=None) == {
        "attach": False,
        "command": "ls",
        "env": {},
    }


def test_environment_entries_are_separated_by_semicolons() -> None:
    assert run.parse_env(["A=1;B=2", "C=a=b"]) == {"A": "1", "B": "2", "C": "a=b"}
    with pytest.raises(UsageError):
        run.parse_env(["secret"])


@pytest.mark.parametrize(
    ("request_", "server"),
    [
        ("protocol=http\nhost=127.0.0.1:5100\n", "http://127.0.0.1:5100"),
        ("protocol=https\nhost=baton.example.org\npath=shop.git\n\n", "https://baton.example.org"),
        ("protocol=http\nhost=10.0.0.1\n", None),
        ("host=127.0.0.1\n", None),
        ("", None),
    ],
)
def test_git_s_question_names_a_server(request_: str, server: str | None) -> None:
    assert credential_helper.asked_server(credential_helper.parse_request(request_)) == server
