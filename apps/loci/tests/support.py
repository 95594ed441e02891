"""What several tests do with the real servers."""

from __future__ import annotations

import re
import sqlite3
from typing import Any
from urllib.parse import urlsplit

import requests


def hidden_field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, page
    return found[1]


def grant(
    site: requests.Session, authorize_url: str, persona: str = "ada", answer: str = "yes", **extra: str
) -> str:
    """What a person does on the API's site. Returns the address it sends their browser to."""
    page = site.get(authorize_url)
    if "/cas/login/" in page.url:
        form = {"persona": persona, "csrfmiddlewaretoken": hidden_field(page.text, "csrfmiddlewaretoken")}
        page = site.post(page.url, form, headers={"Referer": page.url})
    form = {name: hidden_field(page.text, name) for name in ("csrfmiddlewaretoken", "request")}
    decide = "{0.scheme}://{0.netloc}/authorize/decide/".format(urlsplit(page.url))
    sent = site.post(
        decide, form | {"answer": answer} | extra, headers={"Referer": page.url}, allow_redirects=False
    )
    assert sent.status_code == 302, sent.text
    return sent.headers["Location"]


def signed_in_session(loci: Any, sandbox: Any, persona: str) -> requests.Session:
    """A browser without a screen, which has signed in at a running Loci."""
    session = loci.session()
    started = session.get(f"{loci.url}/login/", allow_redirects=False)
    location = grant(sandbox.session(), started.headers["Location"], persona)
    assert session.get(location, allow_redirects=False).headers["Location"] == "/"
    return session


def rows(server: Any, query: str) -> list[tuple[Any, ...]]:
    """What a query finds in a running server's database."""
    database = sqlite3.connect(server.database, timeout=30)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def change(server: Any, statement: str) -> None:
    database = sqlite3.connect(server.database, timeout=30)
    try:
        with database:
            database.execute(statement)
    finally:
        database.close()
