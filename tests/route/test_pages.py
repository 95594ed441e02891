"""The door's own pages: whole in themselves, readable by everybody, in three forms."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from baton.route.door import PAGE_SOCKETS
from baton.route.pages import PAGES, Page, rendered
from baton.route.routerlog import CODES
from tests.route.conftest import Running, answering

CHROMIUM = Path("/usr/bin/chromium")


def named(page: Page) -> str:
    return page.name


def test_each_code_the_door_answers_with_has_a_page() -> None:
    names = {page.name for page in PAGES}
    assert {code.lower() for code in PAGE_SOCKETS} <= names
    without_answer = {
        "H18",
        "H26",
        "H27",
        "H28",
    }  # these are told by the log alone, or by the page of bad requests
    assert {code.lower() for code in set(CODES) - without_answer} <= names


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_is_whole_in_itself_and_says_what_to_type(page: Page) -> None:
    forms = rendered(page)
    assert page.title in html.unescape(forms["html"])
    assert page.command in re.sub("</?span>", "", forms["html"])
    assert page.command in forms["txt"]
    assert set(
        json.loads(
            forms["json"].replace('" encoding="none" default="" -->', "").replace('<!--# echo var="', "")
        )
    ) == {"id", "message", "request_id"}
    for outside in ("http:", "https:", "url(", "<script", "@import", "<link", "src="):
        assert outside not in forms["html"]
    assert "{" not in forms["txt"] + page.title


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_pages_in_a_browser_have_no_barrier_and_never_scroll_sideways(
    door: Running, browser: Browser, scheme: str, width: int
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 640})  # type: ignore[arg-type]
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    for code in (*PAGE_SOCKETS, "unknown"):
        door.app(answering())
        if code != "unknown":
            door.point(door.door.home.page_socket(code))
        host = "unknown" + "-very-long" * 5 if code == "unknown" else "shop"
        url = f"http://{host}.localhost:{door.port}/"
        answer = page.goto(url)
        assert answer
        assert answer.status == (404 if code == "unknown" else 503)
        found = Axe().run(page)["violations"]
        assert [(one["id"], one["help"]) for one in found] == [], code
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), code
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (background == "rgb(18, 22, 28)") is (scheme == "dark")
    assert {url.split("/")[3] for url in requests} <= {"", "favicon.ico"}
    assert errors == []
    context.close()
