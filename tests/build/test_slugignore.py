from __future__ import annotations

import pytest

from baton.build import slugignore
from baton.build.errors import SlugIgnoreError


@pytest.mark.parametrize(
    ("pattern", "path", "directory", "left_out"),
    [
        ("*.psd", "logo.psd", False, True),
        ("*.psd", "assets/deep/logo.psd", False, True),
        ("*.psd", "logo.psd.txt", False, False),
        ("/tests", "tests", True, True),
        ("/tests", "app/tests", True, False),
        ("docs/", "docs", True, True),
        ("docs/", "docs", False, False),
        ("a/b", "a/b", False, True),
        ("a/b", "x/a/b", False, False),
        ("a/*/c", "a/b/c", False, True),
        ("a/*/c", "a/b/b/c", False, False),
        ("a/**/c", "a/b/b/c", False, True),
        ("a/**/c", "a/c", False, True),
        ("fil?.txt", "file.txt", False, True),
        ("[x].txt", "[x].txt", False, True),
        ("a\nb", "a", False, True),
    ],
)
def test_patterns_match_as_in_gitignore(pattern: str, path: str, directory: bool, left_out: bool) -> None:
    assert slugignore.ignored(slugignore.parse(pattern), path, is_directory=directory) is left_out


def test_a_name_with_a_newline_is_matched_as_one_name() -> None:
    assert slugignore.ignored(slugignore.parse("*.log"), "a\nb.log", is_directory=False)


@pytest.mark.parametrize("line", ["!keep", "../outside", "a/../../b", "\n".join("x" * 2000)])
def test_what_can_not_be_meant_is_refused(line: str) -> None:
    with pytest.raises(SlugIgnoreError):
        slugignore.parse(line)
