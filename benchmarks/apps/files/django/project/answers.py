import hashlib
import json
import os
from pathlib import Path

VERSION = (Path(__file__).resolve().parent.parent / "version.txt").read_text().strip()


def answer(method: str, nonce: str, body: bytes) -> bytes:
    return json.dumps(
        {
            "version": VERSION,
            "setting": os.environ.get("GREETING", ""),
            "nonce": nonce,
            "method": method,
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
    ).encode()
