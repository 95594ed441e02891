from __future__ import annotations

from baton.build.errors import CollectStaticFailed, ProcfileError, collectstatic_hint
from baton.build.output import Lines, Output, error_lines, indented


def shown(env: dict[str, str], *lines: str) -> list[str]:
    seen: list[str] = []
    output = Output(seen.append, env)
    for line in lines:
        output.line(line)
    return seen


def test_config_vars_are_hidden_by_value() -> None:
    env = {"TOKEN": "abcdefgh", "LONGER": "abcdefghijkl", "SHORT": "abc"}
    assert shown(env, "x abcdefgh y abcdefghijkl abc") == ["x [TOKEN] y [LONGER] abc"]


def test_the_password_of_a_url_is_hidden_alone_too() -> None:
    env = {"DATABASE_URL": "postgres://u:p%40ssw0rd99@host/db"}
    assert shown(env, "password p@ssw0rd99 or p%40ssw0rd99") == ["password [DATABASE_URL] or [DATABASE_URL]"]


def test_each_line_of_a_long_secret_is_hidden() -> None:
    assert shown({"KEY": "-----BEGIN-----\nMIIabcdef\n"}, "MIIabcdef") == ["[KEY]"]


def test_the_name_of_the_settings_is_no_secret() -> None:
    env = {"DJANGO_SETTINGS_MODULE": "config.settings.production"}
    assert shown(env, "config.settings.production") == ["config.settings.production"]


def test_output_becomes_lines_however_it_arrives() -> None:
    lines = Lines()
    assert lines.feed(b"a\nb") == ["a"]
    assert lines.feed(b"c\r\n10%\r20%\rdone\n") == ["bc", "done"]
    assert lines.feed(b"\xff\xfe\n") == ["\\xff\\xfe"]
    assert lines.feed(b"rest") == []
    assert lines.end() == ["rest"]
    assert lines.end() == []


def test_a_line_without_end_is_cut() -> None:
    lines = Lines()
    assert [len(line) for line in lines.feed(b"x" * 25_000)] == [10_000]


def test_details_are_indented_and_titles_are_not() -> None:
    assert indented("x") == "       x"
    assert indented("-----> x") == "-----> x"


def test_an_error_looks_as_heroku_s_do_and_has_its_code() -> None:
    assert error_lines(ProcfileError(2, "web", "the colon is missing.")) == [
        "",
        " !     Error: The Procfile has a mistake.",
        " !",
        " !     Procfile, line 2: the colon is missing. Found: 'web'.",
        " !",
        " !     Write each line as `type: command`, for example `web: gunicorn myproject.wsgi`.",
        " !     (build.procfile)",
        "",
    ]


def test_collectstatic_s_traceback_becomes_a_hint() -> None:
    cases = {
        "KeyError: 'API_CLIENT_ID'": "heroku config:set API_CLIENT_ID=",
        "ModuleNotFoundError: No module named 'crispy'": "'crispy'",
        "ImproperlyConfigured: You're using the app without having set the STATIC_ROOT": "STATIC_ROOT = ",
        "ValueError: The file 'a/b.png' could not be found with <x>": "'a/b.png'",
        "something else": "traceback above",
    }
    for line, hint in cases.items():
        assert hint in collectstatic_hint(["Traceback", line])
        assert "DISABLE_COLLECTSTATIC=1" in CollectStaticFailed([line]).hint
