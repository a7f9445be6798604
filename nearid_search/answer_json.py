"""Read answers from the JSON that the service makes of them."""

from __future__ import annotations

from typing import Any

from nearid_search.explanation import BackgroundShare, Explanation, PictureEvidence
from nearid_search.records import Failure, IdentityMatch, MatchedImage, QueryAnswer, Reranking


def read_answer(entry: dict[str, Any]) -> QueryAnswer | Failure:
    """Return the record that an entry of ``answers`` stands for; a failure where a picture could not be read."""
    if "error" in entry:
        return Failure(entry["query"], entry["error"])
    fields = {name: value for name, value in entry.items() if name != "keys"}
    fields["matches"] = tuple(
        IdentityMatch(**{**match, "images": tuple(MatchedImage(**image) for image in match["images"])})
        for match in entry["matches"]
    )
    if fields.get("rerank") is not None:
        fields["rerank"] = Reranking(**{**fields["rerank"], "remarks": tuple(fields["rerank"]["remarks"])})
    if fields.get("explanation") is not None:
        fields["explanation"] = _explanation(dict(fields["explanation"]), fields["query"])
    return QueryAnswer(**fields)


def _explanation(fields: dict[str, Any], query: str) -> Explanation:
    del fields["margin"]  # it follows from the scores
    if "pictures" not in fields:  # what the one picture says stands among the rest
        said = {name: fields.pop(name) for name in ("heat", "background", "whole_score", "remarks")}
        fields["pictures"] = [{"query": query, "score": fields["score"], **said}]
    return Explanation(**{**fields, "pictures": tuple(map(_evidence, fields["pictures"]))})


def _evidence(fields: dict[str, Any]) -> PictureEvidence:
    heat, background = fields["heat"], fields["background"]
    return PictureEvidence(
        **{
            **fields,
            "heat": None if heat is None else tuple(map(tuple, heat)),
            "background": None if background is None else BackgroundShare(**background),
            "remarks": tuple(fields["remarks"]),
        }
    )
