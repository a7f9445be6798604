"""Look at identities, enrol pictures as views of one, and take them out of the answers."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query

from nearid_search.errors import NotFoundError, UnreadableImageError
from nearid_search.indexer.corrections.actions import GalleryCorrections
from nearid_search.indexer.corrections.desk import Correction as Made
from nearid_search.records import Failure
from nearid_search.server.models import Correction, Enrolment, IdentityDetail, IdentityPage
from nearid_search.server.problem_docs import REFUSALS
from nearid_search.server.requests import AuthorOf, ServiceOf
from nearid_search.server.routes.query import Images
from nearid_search.server.upload_route import CheckedRoute
from nearid_search.server.uploads import check_count, uploads_of

router = APIRouter(route_class=CheckedRoute, tags=["identities"])

IdentityInPath = Annotated[str, Path(min_length=1, max_length=1000, examples=["pallet-jack-07"])]
Key = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the picture's bytes.")]
Because = Annotated[str | None, Query(max_length=2000, description="Why; kept in the log.")]


@router.get("/v1/identities", response_model=IdentityPage, responses=REFUSALS)
async def list_identities(
    service: ServiceOf,
    after: Annotated[str, Query(max_length=1000, description="Only names behind this one.")] = "",
    contains: Annotated[str, Query(max_length=1000, description="Only names with this in them, in any case.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List the identities by name, and how many images each has."""
    snapshot = service.current
    page = await asyncio.to_thread(snapshot.names, after=after, contains=contains, limit=limit)
    listed = [{"identity": name, "images": snapshot.identities[name]} for name in page.names]
    return {"total": page.total, "identities": listed, "next": page.next}


@router.post("/v1/identities/{identity:path}/images", response_model=Enrolment, responses=REFUSALS)
async def enrol(
    service: ServiceOf,
    author: AuthorOf,
    identity: IdentityInPath,
    images: Images,
    new: Annotated[bool, Form(description="They are the first views of a new identity.")] = False,
    because: Annotated[str | None, Form(max_length=2000, description="Why; kept in the log.")] = None,
) -> dict[str, Any]:
    """Say that pictures show an identity; they are kept in the gallery and found from then on."""
    check_count(len(images), service.config.max_images)
    done = await service.enrol(uploads_of(images), identity, new=new, by=author, because=because or None)
    first = done[0][1]
    if isinstance(first, Failure) and all(isinstance(made, Failure) for _, made in done):
        raise UnreadableImageError(first.path, first.error)
    pictures = [
        {"query": made.path, "error": made.error} if isinstance(made, Failure) else {"query": upload.name, **made}
        for upload, made in done
    ]
    return {"identity": identity, "pictures": pictures}


@router.delete("/v1/identities/{identity:path}/images/{key}", response_model=Correction, responses=REFUSALS)
async def remove_image(
    service: ServiceOf, author: AuthorOf, identity: IdentityInPath, key: Key, because: Because = None
) -> dict[str, Any]:
    """Take one image of an identity out of every answer; undoing the correction brings it back."""

    def remove(corrections: GalleryCorrections) -> Made:
        if key not in {view.key for view in service.current.views_of(identity)}:
            raise NotFoundError(f"{identity!r} has no image {key!r}")
        return corrections.remove(key, by=author, because=because)

    return (await service.correct(remove)).as_dict()


@router.delete("/v1/identities/{identity:path}", response_model=Correction, responses=REFUSALS)
async def remove_identity(
    service: ServiceOf, author: AuthorOf, identity: IdentityInPath, because: Because = None
) -> dict[str, Any]:
    """Take an identity out of every answer; undoing the correction brings it back."""

    def remove(corrections: GalleryCorrections) -> Made:
        service.current.views_of(identity)  # a name that is no identity must not be taken for a picture's
        return corrections.remove(identity, by=author, because=because)

    return (await service.correct(remove)).as_dict()


@router.get("/v1/identities/{identity:path}", response_model=IdentityDetail, responses=REFUSALS)
async def show_identity(
    service: ServiceOf,
    identity: IdentityInPath,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """List the images of an identity."""
    views = await asyncio.to_thread(service.current.views_of, identity)
    return {
        "identity": identity,
        "total": len(views),
        "images": [view._asdict() for view in views[offset : offset + limit]],
    }
