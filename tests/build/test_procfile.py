from __future__ import annotations

import pytest

from baton.build import procfile
from baton.build.errors import ProcfileError


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("web: gunicorn x.wsgi\n", {"web": "gunicorn x.wsgi"}),
        ("web:gunicorn\nworker :  celery -A x worker\n", {"web": "gunicorn", "worker": "celery -A x worker"}),
        ("\ufeff# comment\r\n\r\nweb: a: b\r\n", {"web": "a: b"}),
        ("my-type_2: true", {"my-type_2": "true"}),
        ("", {}),
    ],
)
def test_lines_become_process_types_in_order(text: str, types: dict[str, str]) -> None:
    assert procfile.parse(text) == types


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("web: a\nworker", 2, "colon"),
        ("web: a\n\nwe b: c", 3, "letters"),
        ("web:   \n", 1, "no command"),
        ("web: a\nweb: b", 2, "twice"),
        (f"{'x' * 64}: a", 1, "63"),
        ("web: a\0b", 1, "NUL"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, word: str) -> None:
    with pytest.raises(ProcfileError) as caught:
        procfile.parse(text)
    assert f"line {line}:" in caught.value.message
    assert word in caught.value.message
    assert "type: command" in caught.value.hint
