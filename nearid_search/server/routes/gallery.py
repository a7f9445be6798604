"""Look at the gallery: what it holds, its history, what to correct, and its pictures."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from nearid_search.config import SuggestConfig
from nearid_search.images import decode_image, encode_thumbnail
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.review.suggestions import suggest_corrections
from nearid_search.server.models import HistoryPage, SuggestionList
from nearid_search.server.problem_docs import REFUSALS
from nearid_search.server.requests import ServiceOf
from nearid_search.server.routes.identities import Key
from nearid_search.server.suggestion_calls import as_calls
from nearid_search.suggestion import Suggestions

router = APIRouter(tags=["gallery"])

_PICTURE: dict[int | str, dict[str, Any]] = {**REFUSALS, 200: {"content": {"image/jpeg": {}}}}
FOREVER = "private, max-age=31536000, immutable"
"""A key names the bytes of a picture, so what is made of them never changes."""


@router.get("/v1/gallery", response_model=dict[str, Any], responses=REFUSALS)
async def info(service: ServiceOf) -> dict[str, Any]:
    """Say what the gallery holds and which encoder made it, as ``gallery info --json`` does."""
    snapshot = service.current
    found = await asyncio.to_thread(lambda: snapshot.info)
    return {**found, "read_only": service.config.read_only}


@router.get("/v1/history", response_model=HistoryPage, responses=REFUSALS)
async def history(
    service: ServiceOf,
    identity: Annotated[str | None, Query(max_length=1000, description="Only what speaks of it.")] = None,
    before: Annotated[int | None, Query(ge=1, le=2**31, description="Only entries with lower numbers.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List the corrections, the latest first."""
    folder = service.live.folder
    past = await asyncio.to_thread(lambda: Gallery.open(folder).corrections.history(identity or None))
    found = [entry for entry in reversed(past) if before is None or entry.entry.number < before]
    page = [entry.as_dict() for entry in found[:limit]]
    return {"total": len(past), "entries": page, "next": page[-1]["entry"] if len(found) > limit else None}


@router.get("/v1/suggestions", response_model=SuggestionList, responses=REFUSALS)
async def suggestions(
    service: ServiceOf,
    request: Request,
    count: Annotated[int, Query(ge=1, le=1000)] = SuggestConfig.count,
    views: Annotated[int, Query(ge=1, le=20_000, description="Stored views looked at.")] = SuggestConfig.views,
    margin: Annotated[float, Query(ge=0, le=2)] = SuggestConfig.margin,
    seed: Annotated[int, Query(ge=0, le=2**31)] = SuggestConfig.seed,
) -> dict[str, Any]:
    """List identities that may be one and images that may show something else, each with what to send."""
    config = SuggestConfig(count=count, views=views, margin=margin, seed=seed)
    gallery = service.current.engine.gallery
    async with request.app.state.review:  # a search for each view: one at a time is enough
        found = await asyncio.to_thread(suggest_corrections, gallery, config, on_warning=lambda _line: None)
    return listed(found, gallery.folder)


def listed(found: Suggestions, folder: Path) -> dict[str, Any]:
    """Return suggestions as ``/v1/suggestions`` does; ``folder`` is the gallery's."""
    suggestions = [suggestion.as_dict(folder) | as_calls(suggestion) for suggestion in found.found]
    return {"suggestions": suggestions, "views": found.views, "images": found.images}


@router.get("/v1/images/{key}/thumbnail", response_class=Response, responses=_PICTURE)
async def thumbnail(service: ServiceOf, key: Key) -> Response:
    """Return the stored thumbnail of an image: a JPEG of at most 256 pixels a side."""
    jpeg = await asyncio.to_thread(service.current.thumbnail, key)
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": FOREVER})


@router.get("/v1/images/{key}", response_class=Response, responses=_PICTURE)
async def picture(
    service: ServiceOf, key: Key, side: Annotated[int, Query(ge=16, le=2048, description="Longest, pixels.")] = 1024
) -> Response:
    """Return an image of the gallery as a JPEG, made anew from its file, so that nothing but pixels goes out."""
    snapshot = service.current

    def make() -> bytes:
        return encode_thumbnail(decode_image(snapshot.picture_file(key), name=key, min_side=side).pixels, side=side)

    jpeg = await asyncio.to_thread(make)
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": FOREVER})
