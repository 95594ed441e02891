"""The tree of errors is drawn, coded and complete."""

from __future__ import annotations

import re

from baton.build import errors
from baton.build.errors import BuildError


def every(kind: type[BuildError]) -> list[type[BuildError]]:
    public = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return [kind, *(below for child in public for below in every(child))]


def test_the_drawing_names_each_error_with_its_code() -> None:
    drawn = dict(re.findall(r"(\w+) +(build\.[a-z-]+)$", errors.__doc__ or "", re.MULTILINE))
    assert drawn == {kind.__name__: kind.code for kind in every(BuildError)}


def test_no_two_errors_share_a_code_or_a_title() -> None:
    kinds = every(BuildError)
    assert len({kind.code for kind in kinds}) == len(kinds) == len({kind.title for kind in kinds})
