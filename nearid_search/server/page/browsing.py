"""Look at the gallery, one identity, its pictures, and what was corrected."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from nearid_search.errors import NotFoundError, UnreadableImageError
from nearid_search.images import decode_image, encode_thumbnail
from nearid_search.server.page.page_route import PageRoute
from nearid_search.server.page.rendering import render
from nearid_search.server.requests import ServiceOf
from nearid_search.server.routes.gallery import FOREVER, history, info
from nearid_search.server.routes.identities import Key, list_identities, show_identity
from nearid_search.server.snapshot import Snapshot

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_IDENTITIES = 60
_VIEWS = 60
_ENTRIES = 50

NameAsked = Annotated[str, Query(max_length=1000)]


@router.get("/gallery")
async def overview(request: Request, service: ServiceOf, contains: NameAsked = "", after: NameAsked = "") -> Response:
    """Show what the gallery holds, its identities in pages."""
    page = await list_identities(service, after=after, contains=contains, limit=_IDENTITIES)
    covers = service.current.covers([entry["identity"] for entry in page["identities"]])
    facts = await info(service)
    return render(request, "gallery.html", page=page, covers=covers, facts=facts, contains=contains, after=after)


@router.get("/identity")
async def identity(
    request: Request, service: ServiceOf, name: NameAsked, offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> Response:
    """Show an identity: every view, its metadata and what was corrected.

    Its name is a parameter, as browsers shorten a path with ".." in it.
    """
    snapshot = service.current
    found = await show_identity(service, name, offset=offset, limit=_VIEWS)
    metadata = await asyncio.to_thread(snapshot.metadata_of, name)
    past = await history(service, name, limit=_ENTRIES)
    following = offset + _VIEWS if offset + _VIEWS < found["total"] else None
    return render(
        request,
        "identity.html",
        found=found,
        metadata=metadata,
        past=past,
        offset=offset,
        before=max(0, offset - _VIEWS) if offset else None,
        following=following,
    )


@router.get("/history")
async def past_corrections(
    request: Request, service: ServiceOf, before: Annotated[int | None, Query(ge=1, le=2**31)] = None
) -> Response:
    """Show every correction, the latest first."""
    return render(request, "history.html", past=await history(service, before=before, limit=_ENTRIES), before=before)


@router.get("/pictures/{key}", response_class=Response)
async def picture(
    service: ServiceOf, key: Key, side: Annotated[int, Query(ge=16, le=2048, description="Longest, pixels.")] = 640
) -> Response:
    """Return the best there is of an image: its file, its thumbnail, or a sign that it came without a picture."""
    jpeg = await asyncio.to_thread(_best_of, service.current, key, side)
    if jpeg is None:
        return Response(_NO_PICTURE, media_type="image/svg+xml")
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": FOREVER})


_NO_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="256" height="256">'
    '<path d="M0 64L64 0" stroke="#888" stroke-width="1"/><rect width="63" height="63" x=".5" y=".5" fill="none" '
    'stroke="#888"/></svg>'
)


def _best_of(snapshot: Snapshot, key: str, side: int) -> bytes | None:
    try:
        pixels = decode_image(snapshot.picture_file(key), name=key, min_side=side).pixels
        return encode_thumbnail(pixels, side=side)
    except (NotFoundError, UnreadableImageError):
        pass
    try:
        return snapshot.thumbnail(key)
    except NotFoundError:
        snapshot.row_of(key)  # raises if there is no such image
        return None
