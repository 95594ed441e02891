"""nginx's document for a door. Pure: the same door gives the same text, and nothing is looked at.

One `server` block an app and certificate; what all share stands once, at the level of `http`, and is
inherited. An app's block never names a release: it leads to `home.front_socket(key)`, and that symlink is
what moves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from baton.route import routerlog
from baton.route.door import PAGE_SOCKETS, Certificate, Door, RoutedApp, endpoint, page_listener
from baton.route.errors import DoorError
from baton.route.variables import maps

_HOST = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_STATIC_URL = re.compile(r"/(?:[A-Za-z0-9_.~-]+/)+")
_KEY = re.compile(r"[0-9a-f]{12}")
_ADDRESS = re.compile(r"[A-Za-z0-9_.:\[\]-]+:\d+")

# A name no client can be served by: the page sockets answer it with the digest of the document in force.
DIGEST_HOST = "document.baton.invalid"
# No app has a path below it; where the door's own pages are found.
PAGES_URL = "/.baton-pages/"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


def document(door: Door) -> str:
    """The text of nginx.conf. Raises DoorError for names that can't be said, or are said twice."""
    _check(door)
    body = "\n".join(_lines(door))
    return body.replace("@DIGEST@", digest(body)) + "\n"


def digest(text: str) -> str:
    """A short name of a document's content, taken before the digest itself is written into it."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def digest_of(written: str) -> str:
    """The digest that a rendered document answers with."""
    found = re.search(r'return 200 "([0-9a-f]{32})"', written)
    if found is None:
        raise DoorError(
            "The document should carry its digest, and has none.", "Render it with document(door)."
        )
    return found[1]


def _lines(door: Door) -> Iterator[str]:
    yield from _process(door)
    yield "http {"
    yield from _indented(_common(door))
    yield from _indented(maps())
    yield from _indented(_pages(door))
    yield from _indented(_unknown(door))
    if door.control_hosts:
        for certificate, hosts in _by_certificate(door, door.control_hosts):
            yield from _indented(_control(door, hosts, certificate))
    for app in door.apps:
        for certificate, hosts in _by_certificate(door, app.hosts):
            yield from _indented(_app(door, app, hosts, certificate))
    yield "}"


def _process(door: Door) -> Iterator[str]:
    if door.user:
        yield f"user {' '.join(_word(part) for part in door.user.split())};"
    yield "daemon off;"
    yield "pcre_jit on;"
    yield f"pid {_quoted(door.home.run / 'nginx.pid')};"
    yield "error_log stderr crit;"
    yield f"worker_processes {door.workers or 'auto'};"
    yield f"worker_rlimit_nofile {door.open_files};"
    yield "worker_shutdown_timeout 1h;"
    yield "events {"
    yield f"    worker_connections {min(door.open_files, 8192)};"
    yield "}"


def _common(door: Door) -> Iterator[str]:
    yield from _log(door)
    yield from _limits(door)
    yield from _proxying(door)
    yield from _tls(door)
    yield from _scratch(door)


def _log(door: Door) -> Iterator[str]:
    fields = ",".join(f'"{name}":"{variable}"' for name, variable in routerlog.FIELDS.items())
    yield f"log_format baton escape=json '{{{fields}}}';"
    where = f"syslog:server=unix:{door.home.router_log_socket},tag={routerlog.TAG},nohostname"
    yield f"access_log {_quoted(where)} baton;"


def _limits(door: Door) -> Iterator[str]:
    names = sum(len(app.hosts) for app in door.apps) + len(door.control_hosts) + 16
    yield f"server_names_hash_max_size {max(1024, names * 4)};"
    yield "server_names_hash_bucket_size 512;"
    yield "map_hash_bucket_size 256;"
    yield "server_tokens off;"
    yield "default_type application/octet-stream;"
    yield "sendfile on;"
    yield "tcp_nopush on;"
    yield "client_header_buffer_size 4k;"
    yield "large_client_header_buffers 4 16k;"
    yield "client_header_timeout 30s;"
    yield "client_body_timeout 55s;"
    yield "send_timeout 55s;"
    yield "keepalive_timeout 65s;"
    yield "keepalive_requests 10000;"
    if door.nginx_version >= (1, 27, 4):
        # A reload lets idle connections be, so that a client about to use one does not find it closed.
        yield "keepalive_min_timeout 5s;"
    yield f"client_max_body_size {door.largest_body};"
    yield "recursive_error_pages on;"
    yield from _error_pages()


def _error_pages(failed: str = "$baton_page") -> Iterator[str]:
    yield f"error_page 502 504 =503 {PAGES_URL}{failed}$baton_form;"
    yield f"error_page 500 503 =503 {PAGES_URL}h99$baton_form;"
    yield f"error_page 404 {PAGES_URL}unknown$baton_form;"
    yield f"error_page 413 {PAGES_URL}toolarge$baton_form;"
    yield f"error_page 400 403 405 408 414 416 421 431 494 501 505 {PAGES_URL}badrequest$baton_form;"
    yield "error_page 497 =308 https://$host:$server_port$request_uri;"


def _proxying(door: Door) -> Iterator[str]:
    yield "proxy_http_version 1.1;"
    yield "proxy_next_upstream off;"
    yield "proxy_request_buffering on;"
    yield "proxy_buffering off;"
    yield "proxy_buffer_size 32k;"
    yield "proxy_buffers 4 32k;"
    yield f"proxy_connect_timeout {_ms(door.connect)};"
    yield f"proxy_send_timeout {_ms(door.first_byte)};"
    yield f"proxy_read_timeout {_ms(door.first_byte)};"
    yield "proxy_redirect off;"
    yield "proxy_pass_header Server;"
    yield "proxy_pass_header Date;"
    yield "proxy_hide_header X-Baton-Code;"
    # Otherwise an app could send its visitor to the door's own files.
    ignored = "Redirect Expires Limit-Rate Buffering Charset".split()
    yield f"proxy_ignore_headers {' '.join(f'X-Accel-{name}' for name in ignored)};"
    yield from (f"proxy_set_header {name} {value};" for name, value in _REQUEST_HEADERS.items())


_REQUEST_HEADERS = {
    "Host": "$host$baton_port",
    "Connection": "$baton_connection",
    "Upgrade": "$baton_upgrade",
    "X-Forwarded-For": "$proxy_add_x_forwarded_for",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-Port": "$server_port",
    "X-Request-ID": "$baton_request_id",
    "X-Request-Start": "$baton_start",
    "Via": "$baton_via",
    "Proxy": '""',
}


def _tls(door: Door) -> Iterator[str]:
    if door.https:
        yield "ssl_protocols TLSv1.2 TLSv1.3;"
        yield "ssl_prefer_server_ciphers off;"
        yield "ssl_session_cache shared:baton:4m;"
        yield "ssl_session_timeout 1d;"
        if door.nginx_version >= (1, 25, 1):
            yield "http2 on;"


def _scratch(door: Door) -> Iterator[str]:
    scratch = door.home.run / "nginx"
    yield f"client_body_temp_path {_quoted(scratch / 'body')};"
    for kind in ("proxy", "fastcgi", "uwsgi", "scgi"):
        yield f"{kind}_temp_path {_quoted(scratch / kind)};"


def _pages(door: Door) -> Iterator[str]:
    """The servers behind the page sockets; they answer anything with their page and their code."""
    for code in PAGE_SOCKETS:
        listen = f"listen {_quoted(f'unix:{page_listener(door.home, code)}')}"
        yield "server {"
        yield f"    {listen} default_server;"
        yield "    access_log off;"
        yield "    client_max_body_size 0;"
        yield f"    error_page 503 {PAGES_URL}{code.lower()}$baton_form;"
        yield "    location / { return 503; }"
        yield from _indented(_page_files(door, f"add_header X-Baton-Code {code} always;"))
        yield "}"
        yield f"server {{ {listen}; server_name {DIGEST_HOST}; access_log off;"
        yield '    location / { return 200 "@DIGEST@"; } }'


def _page_files(door: Door, *headers: str) -> Iterator[str]:
    yield f"location ^~ {PAGES_URL} {{"
    yield "    internal;"
    yield f"    alias {_quoted(f'{pages_directory(door)}/')};"
    yield "    types { text/html html; application/json json; text/plain txt; }"
    yield "    charset utf-8;"
    yield "    charset_types text/plain;"
    yield "    ssi on;"
    yield "    ssi_types application/json text/plain;"
    yield "    etag off;"
    yield "    if_modified_since off;"
    yield "    max_ranges 0;"
    for header in headers:
        yield f"    {header}"
    yield '    add_header Cache-Control "no-store" always;'
    yield '    add_header X-Content-Type-Options "nosniff" always;'
    yield f'    add_header Content-Security-Policy "{_POLICY}" always;'
    yield "}"


def pages_directory(door: Door) -> Path:
    return door.home.root / "pages"


def _unknown(door: Door) -> Iterator[str]:
    """Hosts that no app has. Never any app's answer, so that a forgotten name can't be taken over."""
    yield "server {"
    for address, options in ((door.http, ""), (door.https, _ssl(door))):
        if address:
            yield f"    listen {endpoint(address)} default_server backlog=4096 sndbuf=1m{options};"
    yield "    access_log off;"
    # nginx wants each variable of a map to be set somewhere, also when there is no app yet.
    yield from (f'    set $baton_{name} "";' for name in ("app", "asset", "start"))
    if door.https:
        yield from _indented(_certificate(door.certificates[0] if door.certificates else None))
    yield from _indented(_challenges(door, "=404"))
    yield from _indented(_page_files(door))
    yield "    location / { return 404; }"
    yield "}"


def _control(door: Door, hosts: Iterable[str], certificate: Certificate | None) -> Iterator[str]:
    """Control streams logs and builds, and takes pushes: nothing is held back in either direction."""
    yield "server {"
    yield from _indented(_listen(door, hosts, certificate))
    yield from _indented(_error_pages("h99"))
    yield "    access_log off;"
    yield "    set $baton_start $baton_now;"
    yield "    proxy_read_timeout 1h;"
    yield "    proxy_send_timeout 1h;"
    yield from _indented(_challenges(door, "@app"))
    yield from _indented(_page_files(door))
    yield f"    location @app {{ proxy_pass http://{door.control_address}; }}"
    yield f"    location / {{ proxy_pass http://{door.control_address}; }}"
    yield r'    location ~ "^/[^/]+\.git/" {'
    yield f"        client_max_body_size {door.largest_push};"
    yield "        client_body_timeout 10m;"
    yield "        proxy_request_buffering off;"
    yield f"        proxy_pass http://{door.control_address};"
    yield "    }"
    yield "}"


def _app(door: Door, app: RoutedApp, hosts: Iterable[str], certificate: Certificate | None) -> Iterator[str]:
    proxy = f"proxy_pass {_quoted(f'http://unix:{door.home.front_socket(app.key)}:')};"
    yield f"# {_word(app.name)}"
    yield "server {"
    yield from _indented(_listen(door, hosts, certificate))
    yield f"    set $baton_app {app.key};"
    yield "    set $baton_start $baton_now;"
    yield "    location / {"
    yield "        if ($baton_long) { return 418; }"
    yield "        error_page 418 = @long;"
    # A location with an error_page of its own inherits none.
    yield from _indented(_indented(_error_pages()))
    yield f"        {proxy}"
    yield "    }"
    window = f"proxy_read_timeout {_ms(door.idle)}; proxy_send_timeout {_ms(door.idle)};"
    yield f"    location @long {{ {window} {proxy} }}"
    yield f"    location @app {{ {proxy} }}"
    if app.static_url:
        yield from _indented(_static(door, app, app.static_url))
    yield from _indented(_challenges(door, "@app"))
    yield from _indented(_page_files(door))
    yield "}"


def _static(door: Door, app: RoutedApp, url: str) -> Iterator[str]:
    root = _quoted(door.home.static(app.key))
    yield f"location ^~ {url} {{"
    yield "    set $baton_asset $uri;"
    yield f"    root {root};"
    # A link in a slug's static files must not lead out of them.
    yield f"    disable_symlinks on from={root};"
    variants = " ".join(f"$uri$baton_{name}" for name in ("first", "br", "zst", "gz", "plain"))
    yield f"    try_files {variants} @app;"
    yield "    access_log off;"
    # Names are hashes of their content, so a cached file can't be stale; absence is not cached.
    yield "    open_file_cache max=2000 inactive=60s;"
    yield "    open_file_cache_valid 60s;"
    yield "    types { }"
    yield '    default_type "";'
    yield "    max_ranges 1;"
    yield "    add_header Content-Type $baton_type;"
    yield "    add_header Content-Encoding $baton_encoding;"
    yield '    add_header Vary "Accept-Encoding";'
    yield '    add_header Cache-Control "public, max-age=31536000, immutable";'
    yield '    add_header Access-Control-Allow-Origin "*";'
    yield '    add_header X-Content-Type-Options "nosniff";'
    yield "}"


def _challenges(door: Door, otherwise: str) -> Iterator[str]:
    """Where a certificate authority finds its proof (HTTP-01); what is not there is the app's own."""
    yield "location ^~ /.well-known/acme-challenge/ {"
    yield f"    root {_quoted(challenges_directory(door))};"
    yield "    default_type text/plain;"
    yield f"    try_files $uri {otherwise};"
    yield "}"


def challenges_directory(door: Door) -> Path:
    """A challenge lies in `.well-known/acme-challenge/TOKEN` below it."""
    return door.home.root / "acme"


def _listen(door: Door, hosts: Iterable[str], certificate: Certificate | None) -> Iterator[str]:
    if door.http:
        yield f"listen {endpoint(door.http)};"
    if door.https and certificate:
        yield f"listen {endpoint(door.https)}{_ssl(door)};"
        yield from _certificate(certificate)
    yield f"server_name {' '.join(hosts)};"


def _ssl(door: Door) -> str:
    return " ssl" if door.nginx_version >= (1, 25, 1) else " ssl http2"


def _certificate(certificate: Certificate | None) -> Iterator[str]:
    if certificate is None:
        yield "ssl_reject_handshake on;"
        return
    yield f"ssl_certificate {_quoted(certificate.chain)};"
    yield f"ssl_certificate_key {_quoted(certificate.key)};"


def _by_certificate(door: Door, hosts: Iterable[str]) -> list[tuple[Certificate | None, list[str]]]:
    """Hosts with the certificate of each: exact before wildcard, the door's first for want of one."""
    groups: dict[Certificate | None, list[str]] = {}
    for host in hosts:
        groups.setdefault(_best(door.certificates, host), []).append(host)
    return list(groups.items())


def _best(certificates: tuple[Certificate, ...], host: str) -> Certificate | None:
    exact = [one for one in certificates if host in one.names]
    wild = [one for one in certificates if one.covers(host)]
    return next(iter([*exact, *wild, *certificates]), None)


def _check(door: Door) -> None:
    seen: dict[str, str] = dict.fromkeys(door.control_hosts, "control")
    for app in door.apps:
        if not _KEY.fullmatch(app.key):
            raise DoorError(f"An app's key should be 12 hex digits, found {app.key!r}.")
        if app.static_url and not _STATIC_URL.fullmatch(app.static_url):
            raise DoorError(f"{app.name}'s static URL should look like /static/, found {app.static_url!r}.")
        for host in app.hosts:
            if host in seen:
                raise DoorError(
                    f"{host} is asked for by {app.name} and by {seen[host]}.", "Remove it from one of them."
                )
            seen[host] = app.name
    for host in seen:
        if len(host) > 253 or not _HOST.fullmatch(host):
            raise DoorError(f"A host should be a lower-case domain name, found {host!r}.")
    if not _ADDRESS.fullmatch(door.control_address):
        raise DoorError(f"Control's address should be HOST:PORT, found {door.control_address!r}.")


def _word(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", text):
        raise DoorError(f"Expected a plain name, found {text!r}.")
    return text


def _quoted(value: Path | str) -> str:
    """A path as one argument. nginx has no way to write a dollar sign, so such a path is refused."""
    text = str(value)
    if re.search(r'[$"\\\x00-\x1f;{}]', text):
        raise DoorError(
            f"nginx can't use a path with one of $ \" \\ ; {{ }} in it: {text!r}.",
            "Choose another BATON_HOME.",
        )
    return f'"{text}"'


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)
