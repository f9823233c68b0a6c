"""A real browser that looks at the pages, and what it must not have to complain about."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

T = TypeVar("T")

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def why_not() -> str:
    """Why no browser can be driven here; empty if one can."""
    if _program() is None:
        return "no chromium here: the pages are tried in the machine's own (Debian: apt install chromium)"
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "no Python package playwright here: pip install playwright (without its browsers)"
    return ""


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def started_browser() -> Iterator[Browser]:
    """The machine's own Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_program(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


def hearing(page: Page, condition: Callable[[], T]) -> Callable[[], T]:
    """``condition``, for :func:`eventually`, about what the page tells: its events come in first."""

    def look() -> T:
        page.wait_for_timeout(10)
        return condition()

    return look


def barriers(page: Page, axe: str) -> list[str]:
    """What axe-core, whose source ``axe`` is, finds on the page as it is now, a line each.

    It is put in by the debugger's protocol, which the page's policy does not concern.
    """
    page.evaluate(axe)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {one['html'][:160]} {one['failureSummary'][:200]}"
        for violation in result["violations"]
        for one in violation["nodes"][:3]
    ]


class Complaints(list[str]):
    """What the browser found wrong: errors of scripts, the console, refused by the security policy."""

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.append(f"error: {error}"))
        page.on("console", self._told)
        page.on("requestfailed", self._failed)

    def _told(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.append(f"console: {message.text}")

    def _failed(self, request: Any) -> None:
        if "ERR_ABORTED" not in str(request.failure):  # the page gave it up itself
            self.append(f"request: {request.url} {request.failure}")


@contextmanager
def looking(browser: Browser, **options: Any) -> Iterator[Page]:
    """A fresh page, as of somebody who was never here; AssertionError for complaints at its end."""
    context = browser.new_context(**options)
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)  # far beyond what any step needs
        complaints = Complaints()
        complaints.watch(page)
        yield page
        assert not complaints, "\n".join(complaints)
    finally:
        context.close()
