"""Who is let in, and with which headers everything goes out: checked before any route is looked for."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nearid_search.errors import ServiceError
from nearid_search.server.problems import describe
from nearid_search.server.sessions import find_session
from nearid_search.server.tokens import Token, find_token

SIGN_IN_PATH = "/sign-in"
STATIC_PATH = "/static"
OPEN_PATHS = frozenset({"/healthz", SIGN_IN_PATH})
"""Answered without a token, as they tell nothing; so is all below ``STATIC_PATH``."""

TOKEN_KEY = "nearid.token"  # noqa: S105  (a key of the ASGI scope)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
CONTENT_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

Check = Callable[[Scope, Headers], None]


class Gate:
    """Refuses requests, and adds the headers that keep a browser from doing harm.

    Args:
        app: what is behind it.
        tokens: those that are let in; none lets everybody in.
        hosts: names that a request may be addressed to, lower case; None for any.
    """

    def __init__(self, app: ASGIApp, *, tokens: tuple[Token, ...], hosts: frozenset[str] | None) -> None:
        self._app, self._tokens, self._hosts = app, tokens, hosts
        self._checks: tuple[Check, ...] = (self._check_host, self._check_token, check_same_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answer.setdefault(name, value)
                answer.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            for check in self._checks:
                check(scope, headers)
        except ServiceError as error:
            await _refusal(error, scope, headers)(scope, receive, send_safely)
            return
        await self._app(scope, receive, send_safely)

    def _check_host(self, _: Scope, headers: Headers) -> None:
        """Refuse a name that is not ours: a page elsewhere whose name is made to lead here must not get in."""
        if self._hosts is not None and host_name(headers.get("host", "")) not in self._hosts:
            raise ServiceError(
                f"this service is not {headers.get('host', '')!r}: address it as localhost, or start it with "
                "--allow-host NAME",
                status=421,
            )

    def _check_token(self, scope: Scope, headers: Headers) -> None:
        scope[TOKEN_KEY] = None
        if not self._tokens or scope["path"] in OPEN_PATHS or scope["path"].startswith(STATIC_PATH + "/"):
            return
        given = headers.get("authorization")
        if given is None:
            scope[TOKEN_KEY] = find_session(self._tokens, headers.get("cookie", ""))
        else:
            scope[TOKEN_KEY] = find_token(self._tokens, given.encode("latin-1"))
        if scope[TOKEN_KEY] is None:
            problem = "there is no token" if given is None else "the token is not known"
            raise ServiceError(f"{problem}: send the header Authorization: Bearer TOKEN", status=401)


def _refusal(error: ServiceError, scope: Scope, headers: Headers) -> Response:
    """Return what a refused request gets: a person who opens a page is led to where the token can be given."""
    wants_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
    if error.status != 401 or not wants_page:
        return describe(error)
    query = scope["query_string"].decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"{SIGN_IN_PATH}?next={quote(wanted, safe='')}", status_code=303)


def check_same_origin(scope: Scope, headers: Headers) -> None:
    """Refuse what a page of another site has a browser send; other programs send none of these headers.

    Raises:
        ServiceError: 403.
    """
    if scope["method"] in _SAFE_METHODS:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if origin is not None:
        foreign = foreign or urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
    if foreign:
        raise ServiceError(f"a page of another site ({origin or site}) may not do this", status=403)


def known_hosts(host: str, allowed: tuple[str, ...]) -> frozenset[str]:
    """Return the names by which a service on loopback may be addressed."""
    return frozenset(name.lower() for name in (*_LOOPBACK_NAMES, host.strip("[]"), *allowed))


def host_name(header: str) -> str:
    """Return the name in a header ``Host``, without port and brackets, lower case.

    Example:
        >>> host_name("LocalHost:8000"), host_name("[::1]:8000"), host_name("[::1]")
        ('localhost', '::1', '::1')
    """
    name = header.lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0]
