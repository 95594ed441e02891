"""Small sample applications to push: one for each way a program can bind, with each flaw a push can have.

In: a kind, a version and perhaps a flaw. Out: a tree, as a mapping of file names to their text.

Every application answers `/` (version, setting and the request's nonce as JSON), `/slow` (the same after two
seconds) and `/echo` (the digest of the POST body). `uvicorn` also echoes on the WebSocket `/ws`, and the WSGI
ones take as long as `/wait?ms=` says.
"""

from benchmarks.apps.trees import (
    ASGI_KINDS,
    EXTRA_REQUIREMENT,
    FLAWS,
    KINDS,
    REQUIREMENTS,
    SETTING,
    tree,
    write,
)

__all__ = ["ASGI_KINDS", "EXTRA_REQUIREMENT", "FLAWS", "KINDS", "REQUIREMENTS", "SETTING", "tree", "write"]
