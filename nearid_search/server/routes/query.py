"""Ask which identity pictures show."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile

from nearid_search.config import QueryConfig
from nearid_search.errors import UnreadableImageError
from nearid_search.records import Failure, QueryAnswer
from nearid_search.server.models import Answers
from nearid_search.server.problem_docs import REFUSALS
from nearid_search.server.requests import ServiceOf
from nearid_search.server.upload_route import CheckedRoute
from nearid_search.server.uploads import check_count, uploads_of
from nearid_search.server.work import Terms

router = APIRouter(route_class=CheckedRoute, tags=["query"])

Images = Annotated[list[UploadFile], File(min_length=1, description="JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC or AVIF.")]


@router.post("/v1/query", response_model=Answers, response_model_exclude_unset=True, responses=REFUSALS)
async def query(
    service: ServiceOf,
    images: Images,
    k: Annotated[int, Form(ge=1, le=1000, description="Identities to list.")] = QueryConfig.k,
    where: Annotated[
        str | None, Form(max_length=2000, description="SQL condition on metadata.", examples=["bin = 'A3'"])
    ] = None,
    same: Annotated[bool, Form(description="The pictures show one thing: give one answer for all.")] = False,
    explain: Annotated[bool, Form(description="Say why.")] = False,
) -> dict[str, Any]:
    """Rank the identities that each picture may show, with margin and verdict.

    A picture that cannot be read takes nothing away from the others; if none can, the request is refused.
    """
    check_count(len(images), service.config.max_images)
    found = await service.query(uploads_of(images), Terms(k, where or None, explain), same=same)
    if not any(isinstance(result.answer, QueryAnswer) for result in found):
        first = found[0].answer
        assert isinstance(first, Failure)  # noqa: S101  (none is an answer)
        raise UnreadableImageError(first.path, first.error)
    return {"answers": [_as_json(result.answer, result.keys) for result in found]}


def _as_json(answer: QueryAnswer | Failure, keys: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(answer, Failure):
        return {"query": answer.path, "error": answer.error}
    found = answer.as_dict()
    for match, shown in zip(answer.matches, found["matches"], strict=True):
        for image, entry in zip(match.images, shown["images"], strict=True):
            entry["key"] = image.key
    return {"query": found.pop("query"), "keys": list(keys), **found}
