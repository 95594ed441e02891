"""A person with a browser: signing in through the consent page, on every width, in light and dark."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

WIDTHS = {"phone": (320, 700), "desktop": (1280, 860)}


@pytest.fixture(params=[(width, scheme) for width in WIDTHS for scheme in ("light", "dark")], ids="-".join)
def page(request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:
    width, scheme = request.param
    yield from _page(browser, width, scheme)


@pytest.fixture
def desk(browser: Any) -> Iterator[Any]:
    yield from _page(browser, "desktop", "light")


def _page(browser: Any, width: str, scheme: str) -> Iterator[Any]:
    size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
    context = browser.new_context(viewport=size, color_scheme=scheme, ignore_https_errors=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.look = f"{width}-{scheme}"
    page.problems, page.hosts = [], set()
    page.on(
        "console", lambda message: page.problems.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda asked: page.hosts.add(re.sub(r"^(\w+://[^/]+).*", r"\1", asked.url)))
    yield page
    context.close()


def sign_in(page: Any, loci: Any, name: str, answer: str = "YES") -> None:
    page.goto(loci.url)
    page.get_by_role("link", name="Sign in with 23andMe").click()
    page.get_by_role("radio", name=name).check()
    page.get_by_label("Password").fill("anything")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=re.compile(f"^{answer}")).click()


def inspect(page: Any, built_tree: Path, name: str, expected_errors: int = 0) -> None:
    """axe finds nothing, nothing scrolls sideways, and the console is silent."""
    page.evaluate("document.fonts.ready")
    page.evaluate((built_tree / "node_modules/axe-core/axe.min.js").read_text())
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    result = page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
    found = [(item["id"], [node["html"][:200] for node in item["nodes"]]) for item in result["violations"]]
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}-{page.look}.png", full_page=True)
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert len(page.problems) == expected_errors, page.problems
    page.problems.clear()


def test_every_page_of_a_sign_in_is_accessible_and_fits(
    page: Any, loci: Any, sandbox: Any, built_tree: Path
) -> None:
    page.goto(loci.url)
    inspect(page, built_tree, "landing")
    page.get_by_role("link", name="Sign in with 23andMe").click()
    inspect(page, built_tree, "sandbox-login")
    page.get_by_role("radio", name="Brook Marsh").check()
    page.get_by_role("button", name="Sign in").click()
    inspect(page, built_tree, "sandbox-consent")
    page.get_by_role("button", name="YES, grant access").click()
    page.get_by_role("heading", name="Hello, Brook").wait_for()
    inspect(page, built_tree, "hello")
    page.get_by_text("The same as a table").click()
    inspect(page, built_tree, "hello-table")
    page.get_by_role("link", name="Chromosome X", exact=True).click()
    page.get_by_role("heading", name="Chromosome X", level=1).wait_for()
    inspect(page, built_tree, "accession")
    page.goto(f"{loci.url}/logout/")
    inspect(page, built_tree, "logout")
    page.goto(f"{loci.url}/accession/NC_999999.1/")
    inspect(page, built_tree, "unknown", expected_errors=1)
    page.goto(sandbox.url)
    inspect(page, built_tree, "sandbox-index")
    assert page.hosts == {loci.url, sandbox.url}


def test_accounts_without_profiles_and_refusals_have_pages(page: Any, loci: Any, built_tree: Path) -> None:
    sign_in(page, loci, "Cleo Finch")
    page.get_by_text("Your account has no profiles yet").wait_for()
    inspect(page, built_tree, "no-profiles")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in with 23andMe").wait_for()
    sign_in(page, loci, "Ada Lark", answer="NO")
    page.get_by_role("heading", name="You chose not to share").wait_for()
    inspect(page, built_tree, "declined", expected_errors=1)


def test_a_person_signs_in_reads_chromosome_4_and_signs_out(desk: Any, loci: Any) -> None:
    sign_in(desk, loci, "Ada Lark")
    desk.get_by_role("heading", name="Hello, Ada").wait_for()
    facts = desk.get_by_role("table", name="The reference sequence of chromosome 4")
    for text in ("NC_000004.11", "191154276"):
        assert facts.get_by_text(text).is_visible()
    desk.get_by_role("button", name="Sign out").click()
    desk.get_by_role("link", name="Sign in with 23andMe").wait_for()
    assert desk.url == f"{loci.url}/"
    desk.go_back()
    desk.goto(f"{loci.url}/accession/NC_000004.11/")
    assert "/cas/login/" in desk.url


def test_the_chosen_profile_stays_chosen(desk: Any, loci: Any) -> None:
    sign_in(desk, loci, "Brook Marsh")
    desk.get_by_role("button", name="Wren Marsh").click()
    desk.get_by_text("Wren Marsh has not been genotyped yet").wait_for()
    desk.goto(f"{loci.url}/accession/NC_000024.9/")
    assert desk.get_by_role("button", name="Wren Marsh").get_attribute("aria-current") == "true"
    assert desk.get_by_role("button", name="Brook Marsh").get_attribute("aria-current") is None


def test_the_page_that_asked_for_a_sign_in_is_the_one_it_leads_to(desk: Any, loci: Any) -> None:
    desk.goto(f"{loci.url}/accession/NC_000007.13/")
    desk.get_by_role("radio", name="Esme Vale").check()
    desk.get_by_role("button", name="Sign in").click()
    desk.get_by_role("button", name="YES, grant access").click()
    desk.get_by_role("heading", name="Chromosome 7", level=1).wait_for()
    assert desk.get_by_text("ancestry service").is_visible()


def test_the_whole_way_can_be_gone_with_the_keyboard(desk: Any, loci: Any) -> None:
    desk.goto(loci.url)
    desk.keyboard.press("Tab")
    assert desk.evaluate("document.activeElement.textContent") == "Skip to the content"
    desk.keyboard.press("Enter")
    desk.keyboard.press("Tab")
    desk.keyboard.press("Enter")
    desk.get_by_role("radio", name="Ada Lark").focus()
    desk.keyboard.press("Enter")
    desk.get_by_role("button", name="YES, grant access").focus()
    desk.keyboard.press("Enter")
    desk.get_by_role("heading", name="Hello, Ada").wait_for()


def test_the_admin_works_under_the_content_policy(desk: Any, loci: Any) -> None:
    desk.goto(f"{loci.url}/admin/")
    desk.get_by_label("Username").wait_for()
    assert desk.problems == []
