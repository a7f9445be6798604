"""Ask about pictures, and see the answers beside the pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from statistics import fmean
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Form, Request, Response, UploadFile

from nearid_search.explanation import Heat
from nearid_search.heat_overlay import overlay_jpeg
from nearid_search.images import decode_image, encode_thumbnail
from nearid_search.picture_page import data_uri
from nearid_search.server.page.page_route import PageRoute
from nearid_search.server.page.rendering import render
from nearid_search.server.page.wording import scale_start
from nearid_search.server.requests import ServiceOf
from nearid_search.server.routes.query import Images, query
from nearid_search.server.snapshot import Snapshot
from nearid_search.server.uploads import Upload, uploads_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_SHOWN_SIDE = 512
_COVERS = 8


class ShownPicture(NamedTuple):
    """A picture that was asked about as the source of an ``img``, and coloured by what spoke for the answer."""

    picture: str
    heat: str | None


class ShownBackground(NamedTuple):
    """How much of the answer is background, in the mean of the pictures: see ``BackgroundShare``."""

    share: float
    is_attention: bool
    thing_score: float
    background_score: float


class Shown(NamedTuple):
    """An answer with its pictures.

    Attributes:
        answer: as ``/v1/query`` gives it.
        pictures: what was asked about; none if it could not be read.
        places: which of the pictures that were sent these are, from 0.
        background: None if nobody can say.
        remarks: what else there is to say of the pictures.
        start: where the scale of its scores begins.
    """

    answer: dict[str, Any]
    pictures: tuple[ShownPicture, ...]
    places: tuple[int, ...]
    background: ShownBackground | None
    remarks: tuple[str, ...]
    start: float


@router.get("/")
async def ask(request: Request, service: ServiceOf) -> Response:
    """Show where to drop a picture."""
    snapshot = service.current
    covers = snapshot.covers(list(islice(snapshot.identities, _COVERS)))
    return _ask_page(request, snapshot, shown=None, same=False, covers=covers)


@router.post("/answers")
async def answers(
    request: Request, service: ServiceOf, images: Images, same: Annotated[bool, Form()] = False
) -> Response:
    """Show what the gallery says about pictures, and why."""
    same = same and len(images) > 1
    found = (await query(service, images, same=same, explain=True))["answers"]
    shown = await asyncio.to_thread(_shown, found, images, same=same)
    return _ask_page(request, service.current, shown=shown, same=same)


def _ask_page(request: Request, snapshot: Snapshot, **values: Any) -> Response:  # noqa: ANN401  (what it shows)
    can_see = snapshot.engine.gallery.manifest.encoder.backbone is not None
    return render(request, "ask.html", known=len(snapshot.identities), can_see=can_see, **values)


def _shown(found: Sequence[dict[str, Any]], images: Sequence[UploadFile], *, same: bool) -> list[Shown]:
    uploads = uploads_of(images)
    groups = [tuple(range(len(uploads)))] if same else [(place,) for place in range(len(uploads))]
    return [_with_pictures(answer, uploads, places) for answer, places in zip(found, groups, strict=True)]


def _with_pictures(answer: dict[str, Any], uploads: Sequence[Upload], places: tuple[int, ...]) -> Shown:
    if "error" in answer:
        return Shown(answer, (), places, None, (), 0.0)
    why = answer.get("explanation", {})
    evidence = why.get("pictures") or [why] * len(places)  # of a single picture the explanation itself says it
    pictures = tuple(
        _coloured(_thumbnail(uploads[place]), said.get("heat")) for place, said in zip(places, evidence, strict=True)
    )
    start = scale_start(match["score"] for match in answer["matches"])
    remarks = tuple(remark for said in evidence for remark in said.get("remarks", ()))
    return Shown(answer, pictures, places, _background(evidence), remarks, start)


def _coloured(jpeg: bytes, heat: Heat | None) -> ShownPicture:
    return ShownPicture(data_uri(jpeg), None if heat is None else data_uri(overlay_jpeg(jpeg, heat)))


def _background(evidence: Sequence[dict[str, Any]]) -> ShownBackground | None:
    found = [said["background"] for said in evidence if said.get("background")]
    if not found:
        return None
    is_attention = all(share["attention"] is not None for share in found)
    shares = [share["attention"] if is_attention else 1 - share["area"] for share in found]
    return ShownBackground(
        fmean(shares),
        is_attention,
        fmean(share["foreground_score"] for share in found),
        fmean(share["background_score"] for share in found),
    )


def _thumbnail(upload: Upload) -> bytes:
    """Return a picture, which has been read before, as any browser shows it."""
    pixels = decode_image(upload.read(), name=upload.name, min_side=_SHOWN_SIDE).pixels
    return encode_thumbnail(pixels, side=_SHOWN_SIDE)
