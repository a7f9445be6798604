"""A headless Chromium that is watched: what it complains of, and whom it asks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_PATIENCE = 30_000  # milliseconds, for a machine that does much else
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser; skip the test where there is none."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine to look at the page with")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        expect.set_options(timeout=_PATIENCE)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page, and what was noticed while it was open.

    Attributes:
        page: the page.
        complaints: warnings and errors of the console, scripts that failed, what the security policy refused.
        requests: addresses that were asked for.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def width(self) -> int:
        """How wide what it shows is, in CSS pixels."""
        return int(self.page.evaluate("document.documentElement.scrollWidth"))


@contextmanager
def visit(browser: Browser, **settings: Any) -> Iterator[Visit]:
    """Open a page in a profile of its own; ``settings`` are those of a context of Playwright."""
    context = browser.new_context(**settings)
    context.set_default_timeout(_PATIENCE)
    page = context.new_page()
    found = Visit(page)

    def note(message: ConsoleMessage) -> None:
        if message.type in ("warning", "error"):
            found.complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("request", lambda request: found.requests.append(request.url))
    try:
        yield found
    finally:
        context.close()
