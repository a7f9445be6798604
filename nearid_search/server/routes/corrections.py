"""Correct the gallery; every correction is an entry of its log, with its author, and can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from nearid_search.indexer.corrections.actions import GalleryCorrections
from nearid_search.indexer.corrections.desk import Correction as Made
from nearid_search.server.models import Confirm, Correction, Merge, Reject, Rename, Split, Undo
from nearid_search.server.problem_docs import REFUSALS
from nearid_search.server.requests import AuthorOf, ServiceOf
from nearid_search.server.upload_route import CheckedRoute

router = APIRouter(prefix="/v1/corrections", route_class=CheckedRoute, tags=["corrections"])

_ANSWER: dict[str, Any] = {"response_model": Correction, "responses": REFUSALS}


class Corrector:
    """The gallery in the hands of who is asking."""

    def __init__(self, service: ServiceOf, author: AuthorOf) -> None:
        self._service, self._author = service, author

    async def make(self, correction: Callable[..., Made], *what: object, **more: object) -> dict[str, Any]:
        """Make a correction in the author's name: a method of ``GalleryCorrections`` and its arguments."""

        def correct(gallery: GalleryCorrections) -> Made:
            return correction(gallery, *what, by=self._author, **more)

        return (await self._service.correct(correct)).as_dict()


CorrectorOf = Annotated[Corrector, Depends()]


@router.post("/confirm", **_ANSWER)
async def confirm(gallery: CorrectorOf, said: Confirm) -> dict[str, Any]:
    """Say that an image of the gallery shows an identity."""
    make = GalleryCorrections.confirm
    return await gallery.make(make, said.picture, said.identity, new=said.new, because=said.because)


@router.post("/reject", **_ANSWER)
async def reject(gallery: CorrectorOf, said: Reject) -> dict[str, Any]:
    """Say that a picture does not show an identity, or that two identities are not the same."""
    return await gallery.make(GalleryCorrections.reject, said.picture, said.identity, because=said.because)


@router.post("/merge", **_ANSWER)
async def merge(gallery: CorrectorOf, said: Merge) -> dict[str, Any]:
    """Make one identity of several."""
    return await gallery.make(GalleryCorrections.merge, said.identities, into=said.into, because=said.because)


@router.post("/split", **_ANSWER)
async def split(gallery: CorrectorOf, said: Split) -> dict[str, Any]:
    """Make some images of an identity an identity of their own."""
    make = GalleryCorrections.split
    return await gallery.make(make, said.identity, said.pictures, into=said.into, because=said.because)


@router.post("/rename", **_ANSWER)
async def rename(gallery: CorrectorOf, said: Rename) -> dict[str, Any]:
    """Call an identity something else, now and in every later ``index``."""
    return await gallery.make(GalleryCorrections.rename, said.identity, said.to, because=said.because)


@router.post("/undo", **_ANSWER)
async def undo(gallery: CorrectorOf, said: Undo) -> dict[str, Any]:
    """Take a correction back."""
    return await gallery.make(GalleryCorrections.undo, said.entry, because=said.because)
