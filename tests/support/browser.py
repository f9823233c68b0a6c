"""A real browser that looks at the pages, and what it must not have to complain about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

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
        page.set_default_timeout(30_000)
        complaints = Complaints()
        complaints.watch(page)
        yield page
        assert not complaints, "\n".join(complaints)
    finally:
        context.close()
