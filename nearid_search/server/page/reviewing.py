"""What may be wrong in the gallery, to be decided one after another."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from nearid_search.server.page.page_route import PageRoute
from nearid_search.server.page.rendering import render
from nearid_search.server.requests import ServiceOf
from nearid_search.server.routes.gallery import listed

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_PATIENCE = 1.0  # seconds that a page may take; after that it says what goes on


@router.get("/review")
async def review(
    request: Request, service: ServiceOf, look: Annotated[int | None, Query(ge=1, le=2**31)] = None
) -> Response:
    """Show what to look at, the most useful first, or how far the search for it is."""
    asked = service.review_desk.look(look)
    waited_for = asyncio.wrap_future(asked.found)
    await asyncio.wait([waited_for], timeout=_PATIENCE)
    waited_for.cancel()  # the look goes on
    if not asked.found.done():
        images = len(service.current.engine.rows)
        return render(request, "looking.html", look=asked, images=images)
    found = listed(asked.found.result(), service.current.engine.gallery.folder)
    return render(request, "review.html", found=found, known=len(service.current.identities))
