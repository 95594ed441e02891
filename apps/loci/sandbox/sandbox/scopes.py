"""What an application may ask for, and how the consent page says it."""

from __future__ import annotations

import re

WORDING = {
    "basic": "Which profiles you have, which service each has, and whether it has been genotyped",
    "names": "The first and last name on your account and on each profile",
    "email": "Your e-mail address",
    "haplogroups": "Your maternal and paternal haplogroups",
    "ancestry": "Your ancestry composition and Neanderthal share",
    "relatives": "The list of your genetic relatives",
    "relatives:write": "Changes to your notes about relatives",
    "family_tree": "Your family tree, with biographical details",
    "genomes": "Your whole genome. Give this only to an application that you trust",
    "analyses": "Your health and trait analyses",
    "report:all": "All of your reports",
    "profile:write": "Changes to your profile picture",
    "publish": "Public links to your results",
    "introduction": "Introductions to relatives",
    "introductions": "Introductions to relatives",
}
_PATTERNS = (
    (re.compile(r"(?:rs|i)\d{1,12}\Z"), "Your genotype at the marker {}, for all profiles"),
    (re.compile(r"report:[a-z0-9_.]{1,80}\Z"), "Your report {}"),
    (re.compile(r"phenotypes:read:[a-z0-9_]{1,60}\Z"), "What you have said about yourself: {}"),
    (re.compile(r"phenotypes:write:[a-z0-9_]{1,60}\Z"), "Changes to what you have said about yourself: {}"),
)


def wording(scope: str) -> str | None:
    """The consent page's line for one scope; None when there is no such scope."""
    if scope in WORDING:
        return WORDING[scope]
    for pattern, text in _PATTERNS:
        if pattern.match(scope):
            return text.format(scope.rpartition(":")[2])
    return None


def parse(text: str) -> list[str]:
    """The scopes of a space-separated list, each once, in order."""
    return list(dict.fromkeys(text.split()))
