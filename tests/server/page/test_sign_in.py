"""A token that is shown once opens the pages, for this browser and for a time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import DESK, visit
from playwright.sync_api import Browser, expect
from served import Served

from nearid_search.image_encoder import ImageEncoder
from nearid_search.server.config import ServeConfig
from nearid_search.server.sessions import COOKIE, SECONDS, begin_session, find_session
from nearid_search.server.tokens import Token

SECRET = "a-secret-of-some-length"
TOKENS = (Token(b"another-secret-0123"), Token(SECRET.encode(), "Ada"))
PAGE = {"Accept": "text/html"}


@pytest.fixture
def served(store: Path, full_encoder: ImageEncoder) -> Iterator[Served]:
    opened = Served.start(store / "gallery", full_encoder, ServeConfig(), {"tokens": TOKENS})
    opened.client.follow_redirects = False
    yield opened
    opened.close()


def test_a_session_is_its_tokens_and_ends() -> None:
    value = begin_session(TOKENS[1], now=lambda: 1000.5)
    header = f"theme=dark; {COOKIE}={value}"
    assert SECRET not in value
    assert find_session(TOKENS, header, now=lambda: 1000.0 + SECONDS - 1) is TOKENS[1]
    assert find_session(TOKENS, header, now=lambda: 1000.0 + SECONDS) is None
    assert find_session(TOKENS[:1], header, now=lambda: 1001.0) is None
    until, _, signature = value.partition(".")
    for forged in (f"{int(until) + 1}.{signature}", f"{until}.{signature[:-1]}0", f"{until}.", "", "x.y", "é.é", "."):
        assert find_session(TOKENS, f"{COOKIE}={forged}", now=lambda: 1001.0) in (None,), forged
    assert find_session(TOKENS, "", now=lambda: 1001.0) is None


def test_whoever_opens_a_page_is_led_to_the_form_and_back(served: Served) -> None:
    client = served.client
    led = client.get("/identity?name=pot-blue", headers=PAGE)
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=%2Fidentity%3Fname%3Dpot-blue")
    assert "identity?name=pot-blue" in client.get(led.headers["location"], headers=PAGE).text
    wrong = client.post("/sign-in", data={"token": SECRET + "x", "next": "/gallery"})
    assert wrong.status_code == 401
    assert COOKIE not in wrong.headers.get("set-cookie", "")
    assert SECRET not in wrong.text
    right = client.post("/sign-in", data={"token": SECRET, "next": "/identity?name=pot-blue"})
    assert (right.status_code, right.headers["location"]) == (303, "/identity?name=pot-blue")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/identity?name=pot-blue", headers=PAGE).status_code == 200
    renamed = client.post("/v1/corrections/rename", json={"identity": "pot-blue", "to": "pot"})
    assert renamed.json()["who"] == "Ada"
    out = client.post("/sign-out")
    assert out.headers["location"] == "/sign-in"
    assert client.get("/gallery", headers=PAGE).status_code == 303


@pytest.mark.parametrize("elsewhere", ["//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example", ""])
def test_nobody_is_led_elsewhere(served: Served, elsewhere: str) -> None:
    led = served.client.post("/sign-in", data={"token": SECRET, "next": elsewhere})
    assert led.headers["location"] == "/"


def test_another_site_cannot_use_the_session(served: Served) -> None:
    served.client.post("/sign-in", data={"token": SECRET})
    body = {"identity": "pot-blue", "to": "pot"}
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert served.client.post("/v1/corrections/rename", json=body, headers=headers).status_code == 403
        assert served.client.post("/sign-in", data={"token": SECRET}, headers=headers).status_code == 403
        assert served.client.post("/answers", headers=headers).status_code == 403


def test_behind_an_encrypting_proxy_the_cookie_stays_encrypted(served: Served) -> None:
    address = {"Origin": "https://127.0.0.1:8000"}
    assert "Secure" in served.client.post("/sign-in", data={"token": SECRET}, headers=address).headers["set-cookie"]


def test_a_browser_signs_in_and_out(store: Path, open_site: Callable[..., str], chromium: Browser) -> None:
    address = open_site(store / "gallery", tokens=TOKENS)
    with visit(chromium, **DESK) as seen:
        page = seen.page
        page.goto(f"{address}/review")
        page.get_by_label("Token").fill(SECRET)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Review")).to_be_visible()
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert seen.complaints == []
