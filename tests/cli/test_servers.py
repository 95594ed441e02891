from __future__ import annotations

import pytest

from baton.cli import servers
from baton.cli.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("http://127.0.0.1:5100", "http://127.0.0.1:5100"),
        ("127.0.0.1:5100", "http://127.0.0.1:5100"),
        ("localhost:5100/", "http://localhost:5100"),
        ("baton.localhost", "http://baton.localhost"),
        ("[::1]:5100", "http://[::1]:5100"),
        ("baton.example.org", "https://baton.example.org"),
        ("HTTPS://Baton.Example.org:443/", "https://baton.example.org"),
        ("https://baton.example.org:8443", "https://baton.example.org:8443"),
    ],
)
def test_each_address_has_one_spelling(typed: str, expected: str) -> None:
    assert servers.normalise(typed) == expected


@pytest.mark.parametrize(
    "typed", ["http://10.0.0.5:5100", "http://baton.example.org", "http://localhost.example.org"]
)
def test_a_token_is_not_sent_unencrypted_to_another_machine(typed: str) -> None:
    with pytest.raises(UsageError, match="unencrypted"):
        servers.normalise(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ftp://x",
        "http://",
        "https://me:secret@x.org",
        "https://x.org/path",
        "x:notaport",
        "a b",
        "https://x?y=1",
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(UsageError):
        servers.normalise(typed)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:5100/shop.git", "http://127.0.0.1:5100"),
        ("https://user:secret@baton.example.org/shop.git", "https://baton.example.org"),
        ("http://10.0.0.5/shop.git", None),
        ("git@github.com:me/shop.git", None),
        ("ssh://git@example.org/shop.git", None),
        ("/srv/shop.git", None),
    ],
)
def test_the_server_of_a_git_remote(url: str, expected: str | None) -> None:
    assert servers.of_url(url) == expected
