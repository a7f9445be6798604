"""Show a token once; from then on a cookie stands for it that no script can read and no other site can send."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.responses import RedirectResponse

from nearid_search.server.page.page_route import PageRoute
from nearid_search.server.page.rendering import render
from nearid_search.server.sessions import COOKIE, begin_session
from nearid_search.server.tokens import Token, find_token

_LONGEST = 2000

Destination = Annotated[str, Query(alias="next", max_length=_LONGEST)]


def make_router(tokens: tuple[Token, ...]) -> APIRouter:
    """Return the routes that let in those who have one of some tokens."""
    router = APIRouter(route_class=PageRoute, include_in_schema=False)

    @router.get("/sign-in")
    async def show(request: Request, destination: Destination = "/") -> Response:
        """Ask for the token."""
        if not tokens:
            return RedirectResponse("/", status_code=303)
        return render(request, "sign_in.html", destination=own_path(destination), wrong=False)

    @router.post("/sign-in")
    async def sign_in(
        request: Request,
        token: Annotated[str, Form(max_length=_LONGEST)] = "",
        destination: Annotated[str, Form(alias="next", max_length=_LONGEST)] = "/",
    ) -> Response:
        """Begin a session, if the token is known."""
        found = find_token(tokens, b"Bearer " + token.strip().encode())
        if found is None:
            return render(request, "sign_in.html", status=401, destination=own_path(destination), wrong=True)
        response = RedirectResponse(own_path(destination), status_code=303)
        # A proxy in front may have the encryption; then the page it is sent from says so.
        secure = request.headers.get("origin", "").startswith("https:")
        response.set_cookie(COOKIE, begin_session(found), httponly=True, samesite="strict", secure=secure)
        return response

    @router.post("/sign-out")
    async def sign_out() -> Response:
        """End the session of this browser."""
        response = RedirectResponse("/sign-in", status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    return router


def own_path(destination: str) -> str:
    r"""Return where to go after signing in: a path of this service, whatever was asked for.

    Example:
        >>> own_path("/identity?name=cup"), own_path("//elsewhere.example"), own_path("/\\elsewhere.example")
        ('/identity?name=cup', '/', '/')
    """
    parts = urlsplit(destination)
    is_ours = destination.startswith("/") and destination[1:2] not in ("/", "\\") and not parts.netloc
    return destination if is_ours and destination.isprintable() else "/"
