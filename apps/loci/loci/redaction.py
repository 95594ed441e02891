"""Keeps tokens, codes and genotypes out of the log, whoever writes them there."""

from __future__ import annotations

import logging
import re
from typing import Any

HIDDEN = "[redacted]"

_NAMES_OF_SECRETS = (
    "access_token|refresh_token|client_secret|code_verifier|code|state|authorization|password"
    "|csrfmiddlewaretoken"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (
        re.compile(
            rf"(?i)([\"']?\b(?:{_NAMES_OF_SECRETS})[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s&,;}}\"']+)"
        ),
        rf"\1{HIDDEN}",
    ),
    # The API's tokens are 32 hexadecimal letters, ids of people 16.
    (re.compile(r"(?i)\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b"), HIDDEN),
    # A marker and, in its line, the first thing that could be a genotype: rather too much than too little.
    (
        re.compile(
            r"(?i)\b((?:rs|i)\d{3,}\b[^\n]{1,48}?)(?<![A-Za-z0-9])(?-i:[ACGTDI]{1,2}|--|__)(?![A-Za-z0-9])"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(r"(?i)([\"']?\b(?:genome|genotype|call|allele)[\"']?\s*[=:]\s*[\"']?)(?-i:[ACGTDI_-]+)"),
        rf"\1{HIDDEN}",
    ),
)


def redact(text: str) -> str:
    """``text`` without anything that looks like a credential, a person's id or a genotype."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFilter(logging.Filter):
    """Redacts a record's message, arguments included."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        return True


class RedactingFormatter(logging.Formatter):
    """Redacts tracebacks too, which a filter does not see."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 (the name that logging calls)
        return redact(super().formatException(ei))
