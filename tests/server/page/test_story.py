"""What a person does in a browser, from an empty gallery to a corrected identity."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import DESK, Visit, visit
from playwright.sync_api import Browser, Page, expect

CATALOG = Path(__file__).parents[3] / "examples" / "catalog"


@pytest.mark.slow
def test_from_an_empty_gallery_to_a_corrected_identity(open_site: Callable[..., str], chromium: Browser) -> None:
    address = open_site()
    with visit(chromium, **DESK) as seen:
        page = seen.page
        page.goto(address)
        expect(page.get_by_text("The gallery is empty")).to_be_visible()
        enrol(page, "kettle-red", "kettle-red/1.jpg", "kettle-red/2.jpg")
        page.get_by_role("link", name="Gallery", exact=True).first.click()
        page.get_by_text("Add a thing").click()
        enrol(page, "vase-blue", "vase-blue/1.jpg", "vase-blue/2.jpg")

        page.get_by_role("link", name="Find").click()
        expect(page.get_by_text("2 known things")).to_be_visible()
        hand_over(page, "drop", "kettle-red/3.jpg")
        answer = page.get_by_role("article")
        expect(answer.get_by_role("heading", level=2)).to_contain_text("kettle-red")
        expect(answer.get_by_alt_text("Best view of vase-blue")).to_be_visible()
        expect(answer.get_by_text("Probability")).to_be_visible()
        expect(answer.get_by_text("margin 0.")).to_be_visible()
        frame = answer.get_by_role("group", name="Your picture and its heat map")
        frame.focus()
        expect(frame.locator(".heat")).to_have_css("opacity", "1")
        answer.get_by_role("button", name="Yes, it is kettle-red").click()
        expect(answer.locator(".done-teaching")).to_contain_text("Kept as a view of kettle-red.")

        hand_over(page, "paste", "kettle-red/4.jpg")
        expect(answer.get_by_text("pasted.jpg")).to_be_visible()
        answer.get_by_label("This is a new thing").fill("kettle-scarlet")
        answer.get_by_role("button", name="Enrol it").click()
        expect(answer.locator(".done-teaching")).to_contain_text("Enrolled as kettle-scarlet.")

        merge_by_key(page)
        page.get_by_role("link", name="History").click()
        merged = page.get_by_role("listitem").filter(has_text="merge").first
        expect(merged).to_contain_text("kettle-scarlet")
        correct_by_form(page)
        check_clean(seen, address)


def enrol(page: Page, name: str, *files: str) -> None:
    page.get_by_label("What is it called?").fill(name)
    page.get_by_label("Choose pictures").set_input_files([CATALOG / file for file in files])
    page.get_by_role("button", name="Add to the gallery").click()
    told(page, f"Added {len(files)} pictures of {name}.")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def told(page: Page, text: str) -> None:
    expect(page.locator("#told")).to_contain_text(text)


def hand_over(page: Page, how: str, file: str) -> None:
    """Drop a picture on the page, or paste it."""
    page.wait_for_load_state()
    page.evaluate(
        """([how, text]) => {
            const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], how === "drop" ? "dropped.jpg" : "pasted.jpg", { type: "image/jpeg" }));
            const options = { bubbles: true, cancelable: true };
            if (how === "drop") document.querySelector("[data-drop]").dispatchEvent(new DragEvent("drop", { ...options, dataTransfer: data }));
            else document.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: data }));
        }""",  # noqa: E501
        [how, base64.b64encode((CATALOG / file).read_bytes()).decode()],
    )


def merge_by_key(page: Page) -> None:
    """In the review queue: merge, undo, merge again."""
    page.get_by_role("link", name="Review").click()
    question = page.get_by_role("article").filter(has_text="one thing?").filter(has_text="kettle-scarlet")
    expect(question).to_be_visible()
    while not question.get_attribute("aria-current"):
        page.keyboard.press("j")
    for _ in range(2):
        page.keyboard.press("m")
        told(page, "undoes it")
        expect(question.get_by_role("button", name="Merge")).to_be_hidden()
        page.keyboard.press("u")
        told(page, "open again")
        expect(question.get_by_role("button", name="Merge")).to_be_visible()
    page.keyboard.press("m")
    told(page, "undoes it")


def correct_by_form(page: Page) -> None:
    """On the page of the identity: its name, one of its pictures, what was done to it."""
    page.get_by_role("link", name="Gallery", exact=True).first.click()
    page.get_by_role("link", name="kettle").click()
    page.get_by_label("New name").fill("kettle/1 & co?")
    page.get_by_role("button", name="Rename").click()
    told(page, "Renamed.")
    expect(page.get_by_role("heading", level=1)).to_have_text("kettle/1 & co?")
    page.get_by_role("checkbox").first.check()
    expect(page.get_by_text("1 picture is chosen.")).to_be_visible()
    page.get_by_label("They show a new thing called").fill("kettle-2")
    page.get_by_role("button", name="Split off").click()
    told(page, "Split off.")
    expect(page.get_by_role("heading", level=1)).to_have_text("kettle-2")
    page.get_by_role("button", name="Undo", exact=True).click()
    told(page, "Undone: Split off.")
    expect(page.get_by_role("listitem").filter(has_text="undone by")).not_to_have_count(0)


def check_clean(seen: Visit, address: str) -> None:
    assert seen.complaints == []
    assert {request for request in seen.requests if not request.startswith((address + "/", "data:", "blob:"))} == set()
