import hashlib
import json
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import settings

ROOT = Path(__file__).resolve().parent
VERSION = (ROOT / "version.txt").read_text().strip()


def answer(method: str, target: str, body: bytes) -> bytes:
    parts = urlsplit(target)
    if parts.path == "/slow":
        time.sleep(2)
    return json.dumps(
        {
            "version": VERSION,
            "setting": settings.GREETING,
            "nonce": parse_qs(parts.query).get("nonce", [""])[0],
            "method": method,
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
    ).encode()
