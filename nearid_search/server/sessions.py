"""A browser that has shown a token once: a signed cookie stands for it, which no script can read."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from nearid_search.server.tokens import Token

COOKIE = "nearid_session"
SECONDS = 12 * 3600
"""For which a session holds; a browser that is closed ends it earlier."""


def begin_session(token: Token, *, now: Callable[[], float] = time.time) -> str:
    """Return the value of a cookie that stands for a token until ``SECONDS`` have passed.

    It is signed with the token, which cannot be read from it, and ends when the token is taken away.
    """
    until = str(int(now()) + SECONDS)
    return f"{until}.{_signature(token, until)}"


def find_session(tokens: tuple[Token, ...], header: str, *, now: Callable[[], float] = time.time) -> Token | None:
    """Return the token that the cookies of a request stand for; comparing takes as long whichever it is.

    Args:
        tokens: those that are let in.
        header: the request's header ``Cookie``.
        now: seconds since 1970.
    """
    until, _, signature = _cookie(header).partition(".")
    found = None
    for token in tokens:
        if hmac.compare_digest(_signature(token, until).encode(), signature.encode()):
            found = token
    # Only what we signed is read as a number.
    return found if found is not None and now() < int(until) else None


def _signature(token: Token, until: str) -> str:
    return hmac.digest(token.secret, f"nearid-search session until {until}".encode(), "sha256").hex()


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value
