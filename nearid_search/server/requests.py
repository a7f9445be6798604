"""What every route asks of a request: the service, and who is asking."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Header, Request

from nearid_search.errors import ServiceError
from nearid_search.server.gate import TOKEN_KEY
from nearid_search.server.service import Service

ANONYMOUS = "api"
"""Whom the log of corrections names if nobody says who it is."""

_LONGEST = 100


def get_service(request: Request) -> Service:
    """Return the service behind the application."""
    return cast(Service, request.app.state.service)


def get_author(
    request: Request,
    x_author: Annotated[
        str | None, Header(max_length=_LONGEST, description="Who corrects; kept in the log.", examples=["Ada"])
    ] = None,
) -> str:
    """Return who corrects: what the caller says, with the name of the token if it has one.

    Raises:
        ServiceError: 403 if the service is read-only.
    """
    if get_service(request).config.read_only:
        raise ServiceError("this service is read-only: start one without --read-only to correct", status=403)
    said = "".join(character for character in _as_text(x_author or "") if character.isprintable()).strip()
    token = request.scope.get(TOKEN_KEY)
    name = None if token is None else token.name
    if said and name:
        return f"{said} ({name})"
    return said or name or ANONYMOUS


def _as_text(header: str) -> str:
    """Return a header that was sent in UTF-8, or in Latin-1 as headers are by default."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


ServiceOf = Annotated[Service, Depends(get_service)]
AuthorOf = Annotated[str, Depends(get_author)]
