"""The variables of the document: nginx's maps, from what a request says to what is done with it.

A value that most requests have stands as an exact case, so that no pattern is tried for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from baton.route.door import PAGE_SOCKETS

# Hashed files by the last suffix of their name; whatever is not listed is served as bytes.
STATIC_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "webmanifest": "application/manifest+json",
    "html": "text/html; charset=utf-8",
    "htm": "text/html; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "xml": "text/xml; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "ico": "image/x-icon",
    "bmp": "image/bmp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
    "otf": "font/otf",
    "eot": "application/vnd.ms-fontobject",
    "pdf": "application/pdf",
    "wasm": "application/wasm",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "zip": "application/zip",
}
ENCODINGS = {"br": "br", "zst": "zstd", "gz": "gzip"}


def maps() -> Iterator[str]:
    yield from _ways()
    yield from _request_headers()
    yield from _faults()
    yield from _static()


def _ways() -> Iterator[str]:
    """How a request is proxied, and in which form it gets a page."""
    yield from _map("$http_upgrade", "$baton_upgrade", {"": "", "~*^websocket$": "websocket", "default": ""})
    yield from _map("$baton_upgrade", "$baton_connection", {"websocket": "upgrade", "default": "close"})
    yield from _map("$http_accept", "$baton_stream", {"": "0", "~*text/event-stream": "1", "default": "0"})
    yield from _map("$baton_upgrade", "$baton_long", {"websocket": "1", "default": "$baton_stream"})
    forms = {
        "~*text/html": ".html",
        r"~*application/(?:[a-z0-9.+-]+\+)?json": ".json",
        "~*text/plain": ".txt",
        "default": ".html",
    }
    yield from _map("$http_accept", "$baton_form", forms)


def _request_headers() -> Iterator[str]:
    port = {r"~(?<baton_port_said>:[0-9]{1,5})$": "$baton_port_said", "default": ""}
    yield from _map("$http_host", "$baton_port", port)
    yield from _map("$http_via", "$baton_via", {"": "1.1 baton", "default": "$http_via, 1.1 baton"})
    parts = "~^(?<u1>.{8})(?<u2>.{4}).(?<u3>.{3}).(?<u4>.{3})(?<u5>.{12})$"
    yield from _map("$request_id", "$baton_uuid", {parts: "$u1-$u2-4$u3-a$u4-$u5", "default": ""})
    kept = {"": "$baton_uuid", "~^[A-Za-z0-9+/=-]{20,200}$": "$http_x_request_id", "default": "$baton_uuid"}
    yield from _map("$http_x_request_id", "$baton_request_id", kept)
    yield from _map("$msec", "$baton_now", {r"~^(?<s>\d+)\.(?<ms>\d+)$": "$s$ms", "default": ""})


def _faults() -> Iterator[str]:
    """H-codes: what a page socket says of itself, else how far the exchange with the dyno got."""
    exchange = "$upstream_status/$upstream_connect_time/$upstream_header_time/$upstream_bytes_received"
    outcomes = {
        "~^504/-": "H19",
        "~^504/": "H12",
        "~^502/-": "H21",
        r"~^502/[\d.]+/-/0$": "H13",
        r"~^502/[\d.]+/-/": "H17",
        "default": "",
    }
    yield from _map(exchange, "$baton_fault", outcomes)
    pages = {code: code.lower() for code in ("H12", "H13", "H17", "H19", "H21")}
    yield from _map("$baton_fault", "$baton_page", {**pages, "default": "h99"})
    said = f"~^503/(?<baton_page_code>{'|'.join(PAGE_SOCKETS)})$"
    own = {said: "$baton_page_code", "~^-?/$": "H99", "default": "$baton_fault"}
    yield from _map("$upstream_status/$upstream_http_x_baton_code", "$baton_failure", own)
    yield from _map("$status", "$baton_code", {"503": "$baton_failure", "default": ""})


def _static() -> Iterator[str]:
    """Suffixes for try_files: `/-` names what can't exist (a name below a file), so it is passed over."""
    asked = "$request_method|$http_accept_encoding"
    for suffix, coding in ENCODINGS.items():
        refused = r"(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))"
        accepted = rf"~*^(?:GET|HEAD)\|(?:.*,)?\s*{coding}{refused}\s*(?:[,;]|$)"
        yield from _map(asked, f"$baton_{suffix}", {accepted: f".{suffix}", "default": "/-"})
    yield from _map("$request_method", "$baton_plain", {"GET": "", "HEAD": "", "default": "/-"})
    # A miss costs as much as a hit, so what will most likely be there is looked for first.
    found = {"~^[.]br": ".br", "~^/-[.]zst": ".zst", "~^/-/-[.]gz": ".gz", "~^/-/-/-[|](GET|HEAD)$": ""}
    suffixes = "".join(f"$baton_{suffix}" for suffix in ("br", "zst", "gz"))
    yield from _map(f"{suffixes}|$request_method", "$baton_first", {**found, "default": "/-"})
    chosen = {rf"~^(.*)\|\1\.{suffix}$": coding for suffix, coding in ENCODINGS.items()}
    yield from _map("$baton_asset|$uri", "$baton_encoding", {**chosen, "default": ""})
    types = {rf"~*\.{ending}$": kind for ending, kind in STATIC_TYPES.items()}
    yield from _map("$baton_asset", "$baton_type", {**types, "default": "application/octet-stream"})


def _map(source: str, target: str, cases: dict[str, str]) -> Iterator[str]:
    """One map. Inside double quotes a backslash stands for itself, which is what patterns need."""
    yield f'map "{source}" {target} {{'
    for pattern, value in cases.items():
        name = "default" if pattern == "default" else f'"{pattern}"'
        yield f'    {name} "{value}";'
    yield "}"
