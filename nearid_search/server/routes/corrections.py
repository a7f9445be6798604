"""Correct the gallery; every correction is an entry of its log, with its author, and can be undone."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from nearid_search.server.models import Confirm, Correction, Merge, Reject, Rename, Split, Undo
from nearid_search.server.problem_docs import REFUSALS
from nearid_search.server.requests import AuthorOf, ServiceOf
from nearid_search.server.upload_route import CheckedRoute

router = APIRouter(prefix="/v1/corrections", route_class=CheckedRoute, tags=["corrections"])

_ANSWER: dict[str, Any] = {"response_model": Correction, "responses": REFUSALS}


@router.post("/confirm", **_ANSWER)
async def confirm(service: ServiceOf, author: AuthorOf, said: Confirm) -> dict[str, Any]:
    """Say that an image of the gallery shows an identity."""
    made = await service.correct(
        lambda gallery: gallery.confirm(said.picture, said.identity, new=said.new, by=author, because=said.because)
    )
    return made.as_dict()


@router.post("/reject", **_ANSWER)
async def reject(service: ServiceOf, author: AuthorOf, said: Reject) -> dict[str, Any]:
    """Say that a picture does not show an identity, or that two identities are not the same."""
    made = await service.correct(
        lambda gallery: gallery.reject(said.picture, said.identity, by=author, because=said.because)
    )
    return made.as_dict()


@router.post("/merge", **_ANSWER)
async def merge(service: ServiceOf, author: AuthorOf, said: Merge) -> dict[str, Any]:
    """Make one identity of several."""
    made = await service.correct(
        lambda gallery: gallery.merge(said.identities, into=said.into, by=author, because=said.because)
    )
    return made.as_dict()


@router.post("/split", **_ANSWER)
async def split(service: ServiceOf, author: AuthorOf, said: Split) -> dict[str, Any]:
    """Make some images of an identity an identity of their own."""
    made = await service.correct(
        lambda gallery: gallery.split(said.identity, said.pictures, into=said.into, by=author, because=said.because)
    )
    return made.as_dict()


@router.post("/rename", **_ANSWER)
async def rename(service: ServiceOf, author: AuthorOf, said: Rename) -> dict[str, Any]:
    """Call an identity something else, now and in every later ``index``."""
    made = await service.correct(
        lambda gallery: gallery.rename(said.identity, said.to, by=author, because=said.because)
    )
    return made.as_dict()


@router.post("/undo", **_ANSWER)
async def undo(service: ServiceOf, author: AuthorOf, said: Undo) -> dict[str, Any]:
    """Take a correction back."""
    made = await service.correct(lambda gallery: gallery.undo(said.entry, by=author, because=said.because))
    return made.as_dict()
