"""Whether an answer is the one its request deserves. Pure."""

from __future__ import annotations

import hashlib
import json

from benchmarks.load.plan import Shot


def fault(shot: Shot, status: int, body: bytes) -> tuple[str, str] | None:
    """("lost", reason) for an error page, ("wrong", reason) for another answer, None when it fits."""
    if status != 200:
        return "lost", f"status {status}"
    try:
        answer = json.loads(body)
        nonce, digest = answer["nonce"], answer["sha256"]
    except (ValueError, KeyError, TypeError):
        return "wrong", "not the sample's answer"
    if nonce != shot.nonce:
        return "wrong", "another request's nonce"
    if digest != hashlib.sha256(shot.body or b"").hexdigest():
        return "wrong", "the body arrived changed"
    return None


def tag(body: bytes) -> str:
    """Version and setting of an answer that fits, as `version/setting`."""
    answer = json.loads(body)
    return f"{answer['version']}/{answer['setting']}"
