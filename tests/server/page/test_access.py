"""Everybody can use the pages: by keyboard, with a screen reader, on a phone, in the dark."""

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import DESK, PHONE, Visit, visit
from playwright.sync_api import Browser, expect

PAGES = ("/", "/gallery", "/identity?name=pot-blue", "/review", "/history", "/identity?name=nothing")


CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""In the dark nothing but the colours differs."""


@pytest.mark.slow
@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
def test_every_page_can_be_read_by_everybody(
    device: dict[str, object], store: Path, open_site: Callable[..., str], chromium: Browser
) -> None:
    address = open_site(store / "gallery")
    with visit(chromium, color_scheme="light", reduced_motion="reduce", **device) as seen:
        for path in PAGES:
            seen.page.goto(address + path)
            check(seen, device)
        seen.page.goto(address)
        pictures = [store / "catalog/pot-blue/1.jpg", store / "catalog.csv"]
        seen.page.locator("input[name=images]").set_input_files(pictures)
        expect(seen.page.get_by_role("article")).to_have_count(2)
        check(seen, device)
        # The page that is not there is the only one to complain.
        assert [line for line in seen.complaints if "404" not in line] == []


def check(seen: Visit, device: dict[str, object]) -> None:
    for scheme, options in (("light", None), ("dark", CONTRAST)):
        seen.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = Axe().run(seen.page, options=options)
        assert found.violations_count == 0, (scheme, found.generate_report())
    seen.page.emulate_media(color_scheme="light")
    assert seen.width() <= device["viewport"]["width"]  # type: ignore[index]


@pytest.mark.slow
def test_everything_is_done_by_keyboard(store: Path, open_site: Callable[..., str], chromium: Browser) -> None:
    address = open_site(store / "gallery")
    with visit(chromium, **DESK) as seen:
        page = seen.page
        page.goto(address)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        chosen = page.get_by_label("Choose pictures")
        expect(chosen).to_be_focused()
        chosen.set_input_files(store / "catalog/pot-blue/2.jpg")
        answer = page.get_by_role("article")
        expect(answer.get_by_role("heading", level=2)).to_be_focused()  # so that it is read out
        for name in ("pot-blue", "Your picture", "pot-blue", "vase-blue", "Yes, it is pot-blue", "No, not pot-blue"):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
            )
            assert focused.startswith(name), name
        page.keyboard.press("Enter")
        expect(answer.locator(".done-teaching")).to_contain_text("it is not pot-blue")
        expect(answer.locator(".done-teaching")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(answer.get_by_role("button", name="Yes, it is pot-blue")).to_be_visible()
        assert seen.complaints == []
