"""What may be wrong in the gallery, to be decided one after another."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from nearid_search.server.page.page_route import PageRoute
from nearid_search.server.page.rendering import render
from nearid_search.server.requests import ServiceOf
from nearid_search.server.routes.gallery import suggestions

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/review")
async def review(request: Request, service: ServiceOf) -> Response:
    """Show what to look at, the most useful first."""
    found = await suggestions(service, request)
    return render(request, "review.html", found=found, known=len(service.current.identities))
