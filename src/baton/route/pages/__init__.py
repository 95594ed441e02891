"""The pages that the front door shows by itself: what happened, for the visitor and for the owner.

In: the table PAGES, one template and its style. Out: an .html, a .json and a .txt of each, as files for
nginx, which fills in the request's id (and the host's name) by server-side includes.
"""

from __future__ import annotations

import html
import json
import os
import string
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

_REQUEST_ID = '<!--# echo var="baton_request_id" encoding="none" default="" -->'
_HOST = '<!--# echo var="host" default="this address" -->'


@dataclass(frozen=True)
class Page:
    """`name` is the file's; `code` Heroku's or empty; `command` what the owner types."""

    name: str
    status: int
    code: str
    title: str
    visitor: str
    owner: str
    command: str


_LOGS = "baton logs --tail -a NAME"
_LOOK = "Please try again; if you sent something, first look whether it arrived."
_AGAIN = "Nothing is wrong on your side. Please try again in a minute."

PAGES: tuple[Page, ...] = (
    Page(
        "h10", 503, "H10", "This app has stopped", _AGAIN, "Its web process crashed. Its last words:", _LOGS
    ),
    Page(
        "h12",
        503,
        "H12",
        "This took too long",
        f"The app did not begin to answer in time. {_LOOK}",
        "No first byte within the time limit. See what the request was doing:",
        _LOGS,
    ),
    Page(
        "h13",
        503,
        "H13",
        "The answer broke off",
        f"The app ended the connection before it answered. {_LOOK}",
        "The web process closed the connection without a response. See why:",
        _LOGS,
    ),
    Page(
        "h14",
        503,
        "H14",
        "This app is resting",
        "No part of it is running at the moment. Please come back later.",
        "No web dynos are running. Start one:",
        "baton ps:scale web=1 -a NAME",
    ),
    Page(
        "h17",
        503,
        "H17",
        "The answer made no sense",
        _AGAIN,
        "The web process answered with something that is not HTTP. See what it said:",
        _LOGS,
    ),
    Page(
        "h19",
        503,
        "H19",
        "This app is not picking up",
        _AGAIN,
        "A connection to it could not be made in time. See how it is:",
        _LOGS,
    ),
    Page(
        "h21",
        503,
        "H21",
        "This app is not picking up",
        _AGAIN,
        "It refuses connections, or has too many waiting. See how it is:",
        _LOGS,
    ),
    Page(
        "h80",
        503,
        "H80",
        "Back soon",
        "This app is being looked after. It will be back when the work is done.",
        "Maintenance mode is on. Switch it off:",
        "baton maintenance:off -a NAME",
    ),
    Page(
        "h81",
        503,
        "H81",
        "Nothing here yet",
        "This app has been created, and is waiting for its first version.",
        "Put it into production:",
        "git push baton main",
    ),
    Page(
        "h99",
        503,
        "H99",
        "Something went wrong here",
        _AGAIN,
        "The platform itself could not handle the request. Ask what is wrong:",
        "baton doctor",
    ),
    Page(
        "unknown",
        404,
        "",
        "No app at this address",
        "Nothing is served at {host}. Please check the spelling.",
        "Tell which app the name belongs to:",
        "baton domains:add DOMAIN -a NAME",
    ),
    Page(
        "toolarge",
        413,
        "",
        "That is too large",
        "What you sent is larger than this server accepts.",
        "Send large files to a file store directly, in parts. What the door allows:",
        "baton doctor",
    ),
    Page(
        "badrequest",
        400,
        "H26",
        "This request can't be read",
        "What arrived was not a request this server understands. Clearing this site's cookies may help.",
        "The request line or its headers are malformed or too long. What the door logged:",
        _LOGS,
    ),
)


def publish(directory: Path) -> None:
    """Writes every page into `directory`, each replaced atomically, readable by nginx's workers."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    for page in PAGES:
        for ending, text in rendered(page).items():
            _write(directory / f"{page.name}.{ending}", text)


def rendered(page: Page) -> dict[str, str]:
    """The three forms of a page by the ending of their file."""
    return {"html": _html(page), "json": _json(page), "txt": _text(page)}


def _html(page: Page) -> str:
    here = files(__name__)
    template = string.Template(here.joinpath("template.html").read_text("utf-8"))
    return template.substitute(
        style=here.joinpath("style.css").read_text("utf-8").strip(),
        title=html.escape(page.title),
        visitor=html.escape(page.visitor).format(host=f"<strong>{_HOST}</strong>"),
        owner=html.escape(page.owner),
        # A word of the command never breaks: "-a" would otherwise be torn at its hyphen.
        command=" ".join(f"<span>{html.escape(word)}</span>" for word in page.command.split()),
        status=page.code or page.status,
        request_id=_REQUEST_ID,
    )


def _json(page: Page) -> str:
    identity = (page.code or page.name).lower()
    message = page.visitor.format(host="this address")
    found = {"id": identity, "message": f"{page.title}. {message}", "request_id": _REQUEST_ID}
    # The include stands in the string as it is: an id has no character that JSON would escape.
    return json.dumps(found).replace(json.dumps(_REQUEST_ID)[1:-1], _REQUEST_ID) + "\n"


def _text(page: Page) -> str:
    message = page.visitor.format(host="this address")
    return (
        f"{page.title}. {message}\n\n{page.owner} {page.command}\n{page.code or page.status} {_REQUEST_ID}\n"
    )


def _write(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text, "utf-8")
    scratch.chmod(0o644)
    scratch.replace(path)
