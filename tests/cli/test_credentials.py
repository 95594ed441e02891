from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.cli import credentials
from baton.cli.credentials import Account, Credentials, token_for
from baton.cli.errors import CredentialsError

HERE, THERE = "http://127.0.0.1:5100", "https://baton.example.org"
SIGNED_IN = Credentials(
    HERE, (Account(HERE, "me@example.org", "here"), Account(THERE, "me@example.org", "there"))
)


@pytest.mark.parametrize(
    ("server", "environ", "token"),
    [
        (HERE, {}, "here"),
        (THERE, {}, "there"),
        ("https://other.example.org", {}, None),
        (HERE, {"BATON_API_KEY": "key"}, "key"),
        (THERE, {"BATON_API_KEY": "key"}, "there"),
        (THERE, {"BATON_API_KEY": "key", "BATON_HOST": THERE}, "key"),
        (HERE, {"BATON_API_KEY": "key", "BATON_HOST": THERE}, "here"),
        (HERE, {"HEROKU_API_KEY": "key of heroku.com"}, "here"),
        ("https://other.example.org", {"HEROKU_API_KEY": "key of heroku.com"}, None),
        (HERE, {"HEROKU_API_KEY": "key", "HEROKU_HOST": HERE}, "key"),
        (THERE, {"HEROKU_API_KEY": "key", "HEROKU_HOST": HERE}, "there"),
        (THERE, {"HEROKU_API_KEY": "key", "HEROKU_HOST": "heroku.com"}, "there"),
    ],
)
def test_a_token_is_shown_only_to_the_server_it_was_made_for(
    server: str, environ: dict[str, str], token: str | None
) -> None:
    assert token_for(server, environ, SIGNED_IN) == token


def test_the_file_is_private_and_says_the_same_when_read_again(tmp_path: Path) -> None:
    path = tmp_path / "config" / "baton" / "credentials.toml"
    credentials.save(path, SIGNED_IN)
    assert credentials.load(path) == SIGNED_IN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["credentials.toml"]


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_any_email_and_token_survive_the_file(email: str, token: str) -> None:
    kept = Credentials(HERE, (Account(HERE, email, token, "id"),))
    assert credentials.parse(credentials.dump(kept)) == kept


def test_no_file_means_signed_in_nowhere(tmp_path: Path) -> None:
    assert credentials.load(tmp_path / "credentials.toml") == Credentials()


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "credentials.toml"
    credentials.save(path, SIGNED_IN)
    path.chmod(0o644)
    with pytest.raises(CredentialsError) as caught:
        credentials.load(path)
    assert "chmod 600" in caught.value.hint and "here" not in str(caught.value).split()


@pytest.mark.parametrize(
    "text", ["default = ", "[[server]]\nurl = 'x'\n", "server = 3\n", "[[server]]\nserver = ''\n"]
)
def test_a_damaged_file_says_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "credentials.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(CredentialsError, match="baton login"):
        credentials.load(path)


def test_signing_in_replaces_the_old_sign_in_and_signing_out_forgets_it() -> None:
    again = SIGNED_IN.signed_in(Account(THERE, "you@example.org", "new"))
    assert (again.default, again.of(THERE), len(again.accounts)) == (
        THERE,
        Account(THERE, "you@example.org", "new"),
        2,
    )
    gone = again.signed_out(THERE)
    assert (gone.server, gone.of(THERE), gone.of(HERE)) == (HERE, None, SIGNED_IN.of(HERE))
