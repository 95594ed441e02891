from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from baton.cli.api import Api, failure, path
from baton.cli.errors import BadAnswer, CliError, NotFound, NotSignedIn, Refused, Unreachable


@pytest.mark.parametrize(
    ("status", "body", "error", "exit_code"),
    [
        (401, {"id": "unauthorized", "message": "x"}, NotSignedIn, 3),
        (404, {"id": "not_found", "message": "Couldn't find that app."}, NotFound, 4),
        (422, {"id": "invalid_params", "message": "Name is taken"}, Refused, 1),
        (409, {"id": "conflict", "message": "x"}, Refused, 1),
        (500, None, Refused, 1),
        (503, ["not", "an", "object"], Refused, 1),
        (302, None, BadAnswer, 1),
    ],
)
def test_an_answer_that_is_no_success_has_its_error_and_exit_code(
    status: int, body: object, error: type[CliError], exit_code: int
) -> None:
    found = failure(status, body, "http://127.0.0.1:5100")
    assert type(found) is error and found.exit_code == exit_code and found.message


def test_the_server_s_words_are_what_a_person_reads() -> None:
    found = failure(
        422, {"id": "invalid_params", "message": "Name is taken", "hint": "Choose another."}, "http://x"
    )
    assert str(found) == "Name is taken\nChoose another."
    assert found.document() == {
        "id": "invalid_params",
        "message": "Name is taken",
        "hint": "Choose another.",
        "exit_code": 1,
    }


def test_path_parts_cannot_leave_their_place() -> None:
    assert path("apps", "shop", "domains", "../x y/é") == "/apps/shop/domains/..%2Fx%20y%2F%C3%A9"
    assert path("oauth", "sessions", "~") == "/oauth/sessions/~"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is ours and where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_server_that_is_not_there_is_named_with_what_to_do(closed_port: int) -> None:
    with pytest.raises(Unreachable) as caught:
        Api(f"http://127.0.0.1:{closed_port}", "token").get("/account")
    assert str(closed_port) in caught.value.message and "baton up" in caught.value.hint
