"""What is stored and what is logged."""

from __future__ import annotations

import logging

import pytest
from django.test import override_settings
from loci import vault
from loci.api import TokenPair
from loci.models import Grant
from loci.redaction import HIDDEN, RedactingFilter, RedactingFormatter, redact

TOKEN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Authorization: Bearer {TOKEN}", TOKEN),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
        (f'{{"access_token": "{TOKEN}"}}', TOKEN),
        ("refresh_token='short-one'", "short-one"),
        ("GET /receive_code/?code=abc.def&state=xyz", "abc.def"),
        ("GET /receive_code/?code=abc.def&state=xyz", "xyz"),
        ("client_secret=hunter2 failed", "hunter2"),
        (f"account {TOKEN[:16]} asked", TOKEN[:16]),
        ("rs12913832: AG", "AG"),
        ("rs12913832\t15\t28365618\tAG", "AG"),
        ('"i3000001": "II"', "II"),
        ('{"location": "rs12913832", "call": "DD"}', "DD"),
        ("{'id': 'rs1', 'genotype': 'CT'}", "CT"),
        ('"genome": "AAGGCT__--DD"', "AAGGCT"),
        ("rs4988235 is --", "--"),
    ],
)
def test_secrets_and_genotypes_do_not_reach_the_log(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert HIDDEN in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET /accession/NC_000004.11/ 200",
        "Bad Request: /receive_code/",
        "/3/account/ answered 503 (server_error).",
        "Not Found: /admin",
        "A task took 16 ms at rs-prefixed path /rs/",
    ],
)
def test_ordinary_lines_stay_readable(text: str) -> None:
    assert redact(text) == text


def test_arguments_and_tracebacks_are_redacted_too() -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 1, "Bearer %s", (TOKEN,), None)
    RedactingFilter().filter(record)
    assert TOKEN not in record.getMessage()
    try:
        raise ValueError(f"access_token={TOKEN}")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    written = RedactingFormatter().format(record)
    assert "ValueError" in written and TOKEN not in written


def test_a_grant_holds_its_tokens_encrypted() -> None:
    grant = Grant.of(TokenPair(TOKEN, TOKEN[::-1], 60, "basic"))
    assert TOKEN not in grant.access_token_sealed and grant.access_token_sealed != grant.refresh_token_sealed
    assert (grant.access_token, grant.refresh_token) == (TOKEN, TOKEN[::-1])


def test_a_replaced_key_still_opens_what_it_sealed_and_seals_nothing_more() -> None:
    with override_settings(SECRET_KEY="old"):
        sealed = vault.seal("text")
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"]):
        assert vault.unseal(sealed) == "text"
        renewed = vault.seal("text")
    with override_settings(SECRET_KEY="new"):
        assert vault.unseal(renewed) == "text"
        with pytest.raises(vault.Unreadable):
            vault.unseal(sealed)
