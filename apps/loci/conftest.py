"""Real processes for the tests: the sandbox and Loci under gunicorn with TLS, a failing API, a browser."""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = Path(__file__).resolve().parent
CLIENT_ID, CLIENT_SECRET = "10c1" * 8, "5ec2" * 8
START_SECONDS = 30


@dataclass(frozen=True)
class Certificates:
    authority: Path
    certificate: Path
    key: Path


@dataclass
class Server:
    """A running server. ``folder`` holds its database; ``log`` is all that it has written."""

    url: str
    folder: Path
    log_file: Path
    authority: str
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def database(self) -> Path:
        return self.folder / "db.sqlite3"

    def session(self) -> requests.Session:
        session = requests.Session()
        session.verify, session.trust_env = self.authority, False
        return session


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="loci-tests-"))
    yield folder
    # What a busy machine still holds open is left to its own cleaning; the tests have ended.
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def certificates(scratch: Path) -> Certificates:
    """A certificate for this machine's loopback names, which is its own authority. Made for this run only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, key_file = scratch / "certificate.pem", scratch / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return Certificates(certificate, certificate, key_file)


def listen() -> socket.socket:
    """A listening socket on a port that nobody else has; the server inherits it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


def clean_environment(**variables: str) -> dict[str, str]:
    """What a server gets: nothing of the developer's own configuration."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **variables}


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{arguments} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@contextmanager
def gunicorn(
    package: str,
    folder: Path,
    state: Path,
    environment: dict[str, str],
    *,
    listener: socket.socket,
    at: Certificates,
) -> Iterator[Server]:
    """``package``.wsgi under gunicorn, in ``folder``; its log and database are in ``state``."""
    log_file = state / "log"
    arguments = [
        sys.executable,
        "-m",
        "gunicorn",
        f"{package}.wsgi:application",
        "--config",
        f"{package}/gunicorn.py",
    ]
    arguments += ["--bind", f"fd://{listener.fileno()}"]
    arguments += ["--certfile", str(at.certificate), "--keyfile", str(at.key)]
    # Two names for one machine: to a browser, Loci and the API are different sites, as they are in life.
    url = f"https://{'localhost' if package == 'config' else '127.0.0.1'}:{listener.getsockname()[1]}"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            arguments, cwd=folder, env=environment, stdout=log, stderr=log, pass_fds=[listener.fileno()]
        )
    server = Server(url, state, log_file, str(at.authority), process)
    try:
        wait_for(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.close()


def wait_for(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            assert server.session().get(f"{server.url}/_status/", timeout=2).text == "Status: OK"
            return
        except (requests.RequestException, AssertionError):
            if server.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"The server did not start:\n{server.log}")
            time.sleep(0.05)


@pytest.fixture(scope="session")
def loci_listener() -> socket.socket:
    return listen()


@pytest.fixture(scope="session")
def sandbox(scratch: Path, certificates: Certificates, loci_listener: socket.socket) -> Iterator[Server]:
    """The API's stand-in, in its own process. The browser knows it by another name than Loci."""
    state = scratch / "sandbox"
    state.mkdir()
    environment = clean_environment(
        SANDBOX_ALLOW="1",
        DJANGO_SECRET_KEY="a key of this test run",  # noqa: S106
        DATABASE_URL=f"sqlite:///{state / 'db.sqlite3'}",
        SANDBOX_CLIENT_ID=CLIENT_ID,
        SANDBOX_CLIENT_SECRET=CLIENT_SECRET,
        SANDBOX_REDIRECT_URIS=" ".join(
            (
                f"https://localhost:{loci_listener.getsockname()[1]}/receive_code/",
                "https://testserver/receive_code/",
                "https://other.example/callback?kept=1",
            )
        ),
    )
    project = HERE / "sandbox"
    run([sys.executable, "manage.py", "migrate", "--noinput"], project, environment)
    with gunicorn("sandbox", project, state, environment, listener=listen(), at=certificates) as server:
        yield server


@pytest.fixture(scope="session")
def built_tree(scratch: Path) -> Path:
    """The application as a build leaves it: assets by npm's postinstall, static files by bin/post_compile."""
    tree = scratch / "app"
    ignored = shutil.ignore_patterns(
        "node_modules", "dist", "staticfiles", "*.sqlite3*", "__pycache__", ".env"
    )
    shutil.copytree(HERE, tree, ignore=ignored)
    node = clean_environment(
        **{name: value for name, value in os.environ.items() if name.lower().startswith("npm_")}
    )
    run(["npm", "ci", "--no-audit", "--no-fund"], tree, node)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run(["bin/post_compile"], tree, clean_environment() | {"PATH": path})
    return tree


@pytest.fixture(scope="session")
def loci(
    scratch: Path, built_tree: Path, certificates: Certificates, loci_listener: socket.socket, sandbox: Server
) -> Iterator[Server]:
    """Loci as it is in production."""
    state = scratch / "loci"
    state.mkdir()
    environment = clean_environment(
        DJANGO_SETTINGS_MODULE="config.settings.production",
        DJANGO_SECRET_KEY="a key of this test run, which is long enough for every check",  # noqa: S106
        DATABASE_URL=f"sqlite:///{state / 'db.sqlite3'}",
        API_URL=sandbox.url,
        API_CA_FILE=sandbox.authority,
        API_CLIENT_ID=CLIENT_ID,
        API_CLIENT_SECRET=CLIENT_SECRET,
    )
    run([sys.executable, "manage.py", "migrate", "--noinput"], built_tree, environment)
    with gunicorn(
        "config", built_tree, state, environment, listener=loci_listener, at=certificates
    ) as server:
        yield server


@dataclass
class FailingApi:
    """An API that answers as told: ``answer(path) -> (status, headers, body)``, or None to fall silent."""

    url: str
    answer: Callable[[str], tuple[int, dict[str, str], bytes] | None]
    asked: list[str]


@pytest.fixture
def failing_api() -> Iterator[FailingApi]:
    api = FailingApi("", lambda path: (500, {}, b""), [])
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            api.asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = api.answer(self.path)
            if answer is None:
                ended.wait(30)
                return
            status, headers, body = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 (the names that the library calls)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    assert executable, "These tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield started
        started.close()
