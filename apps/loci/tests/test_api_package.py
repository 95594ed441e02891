"""The API client: what it accepts, and which error each misbehaviour becomes."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest
from loci.api import ApiClient, OAuthClient, Transport, errors
from loci.api.oauth import read_tokens
from loci.api.records import read_accounts
from loci.api.transport import MAX_ANSWER_BYTES, is_safe_base_url

PROFILE = {
    "id": "9a",
    "first_name": "Ada",
    "last_name": "Lark",
    "is_genotyped": True,
    "is_ancestry_only": False,
}
ACCOUNT = {"id": "5d", "first_name": "Ada", "last_name": None, "email": None, "profiles": [PROFILE]}
TOKENS = {
    "access_token": "a" * 32,
    "token_type": "bearer",
    "expires_in": 86400,
    "refresh_token": "b" * 32,
    "scope": "basic",
}


def answering(api: Any, status: int, body: Any, **headers: str) -> ApiClient:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    api.answer = lambda path: (
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        content,
    )
    return ApiClient(Transport(api.url, (2.0, 2.0)))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthenticated),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (418, errors.ApiRefusal),
        (422, errors.Unprocessable),
        (429, errors.TooManyRequests),
        (500, errors.ServerFailure),
        (503, errors.ServerFailure),
        (524, errors.ServerFailure),
    ],
)
def test_every_status_has_its_error(failing_api: Any, status: int, kind: type[errors.ApiRefusal]) -> None:
    api = answering(failing_api, status, {"error": "a_code", "error_description": "secret text"})
    with pytest.raises(kind) as caught:
        api.account("token-token")
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code) == (status, "a_code")
    assert "secret text" not in str(caught.value) and "token-token" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"data": [',
        b"[" * 100_000,
        b"\xff\xfe",
        b'"text"',
        b"[]",
        b'{"data": {}}',
        b'{"data": [1]}',
        b'{"data": []}',
    ],
)
def test_an_answer_of_another_shape_is_unreadable(failing_api: Any, body: bytes) -> None:
    with pytest.raises(errors.ApiUnreadable):
        answering(failing_api, 200, body).account("token-token")


def test_an_answer_without_end_is_cut_off(failing_api: Any) -> None:
    with pytest.raises(errors.ApiUnreadable, match="more"):
        answering(failing_api, 200, b" " * (MAX_ANSWER_BYTES + 1)).accessions()


def test_a_redirect_is_not_followed_with_the_token(failing_api: Any) -> None:
    with pytest.raises(errors.ApiRefusal):
        answering(failing_api, 302, b"", Location=f"{failing_api.url}/elsewhere").account("token-token")
    assert len(failing_api.asked) == 1


def test_the_time_to_wait_is_read_from_a_429(failing_api: Any) -> None:
    with pytest.raises(errors.TooManyRequests) as caught:
        answering(failing_api, 429, {}, Retry_After="30").accessions()
    assert caught.value.retry_after == 30


def test_silence_is_a_timeout_and_is_not_asked_again(failing_api: Any) -> None:
    failing_api.answer = lambda path: None
    with pytest.raises(errors.ApiTimeout):
        ApiClient(Transport(failing_api.url, (1.0, 0.2))).accessions()
    assert len(failing_api.asked) == 1


def test_a_broken_connection_is_tried_once_more() -> None:
    """The first connection is closed at once; the second is answered."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        listener.accept()[0].close()
        connection = listener.accept()[0]
        connection.recv(65536)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"data": []}')
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        api = ApiClient(Transport(f"http://127.0.0.1:{listener.getsockname()[1]}", (2.0, 2.0)))
        assert api.accessions() == []
    finally:
        thread.join(10)
        listener.close()


def test_nobody_listening_is_unreachable() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    with pytest.raises(errors.ApiUnreachable, match="the connection failed"):
        ApiClient(Transport(address, (1.0, 1.0))).accessions()


def test_a_certificate_nobody_vouches_for_is_refused(sandbox: Any) -> None:
    with pytest.raises(errors.ApiUnreachable, match="its certificate is not trusted"):
        ApiClient(Transport(sandbox.url, (2.0, 2.0))).accessions()
    assert len(ApiClient(Transport(sandbox.url, (2.0, 2.0), sandbox.authority)).accessions()) == 25


def test_cookies_of_an_answer_are_not_sent_with_the_next_question(failing_api: Any) -> None:
    api = answering(failing_api, 200, {"data": [ACCOUNT]}, Set_Cookie="who=ada; Path=/")
    api.account("token-token")
    assert not api._transport._session.cookies


def test_accounts_are_read_with_and_without_the_envelope() -> None:
    enveloped, bare = read_accounts("", {"data": [ACCOUNT]}), read_accounts("", ACCOUNT)
    assert enveloped == bare
    assert (enveloped[0].name, enveloped[0].profiles[0].name) == ("Ada", "Ada Lark")


def test_the_older_name_of_the_genotyped_flag_is_read() -> None:
    older = {"id": "9a", "genotyped": True}
    assert read_accounts("", ACCOUNT | {"profiles": [older]})[0].profiles[0].is_genotyped


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": None},
        {"access_token": "with space and\nnewline"},
        {"refresh_token": ""},
        {"token_type": "mac"},
        {"expires_in": "86400"},
        {"expires_in": True},
        {"expires_in": -1},
    ],
)
def test_tokens_that_could_not_be_used_are_unreadable(change: dict[str, Any]) -> None:
    assert read_tokens(TOKENS).expires_in == 86400
    with pytest.raises(errors.ApiUnreadable):
        read_tokens(TOKENS | change)


def test_a_spent_code_is_told_apart_from_other_bad_requests(failing_api: Any) -> None:
    answering(failing_api, 400, {"error": "invalid_grant"})
    with pytest.raises(errors.InvalidGrant):
        OAuthClient(Transport(failing_api.url, (2.0, 2.0)), "id", "secret", "basic").exchange(
            "c", "https://x/", "v" * 43
        )


def test_tokens_do_not_show_in_a_repr() -> None:
    assert "aaaa" not in repr(read_tokens(TOKENS)) and "bbbb" not in repr(read_tokens(TOKENS))


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://api.23andme.com", True),
        ("http://127.0.0.1:8023", True),
        ("http://[::1]:8023", True),
        ("http://api.localhost", True),
        ("http://api.23andme.com", False),
        ("http://127.0.0.1.evil.example", False),
        ("ftp://127.0.0.1", False),
        ("", False),
    ],
)
def test_tokens_travel_by_https_or_stay_on_this_machine(url: str, is_safe: bool) -> None:
    assert is_safe_base_url(url) is is_safe
