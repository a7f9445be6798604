"""What to send to act on a suggestion, and what to send so that it is not offered again."""

from __future__ import annotations

from typing import Any

from nearid_search.indexer.review.suggestion_records import Suggestion

_BASE = "/v1/corrections/"


def as_calls(suggestion: Suggestion) -> dict[str, Any]:
    """Return the two requests under ``act`` and ``keep``, each with path and body."""
    first, second = suggestion.identities
    apart = _call("reject", picture=first, identity=second)
    if suggestion.kind == "duplicate":
        return {"act": _call("merge", identities=[second], into=first), "keep": apart}
    keys = [picture.key for picture in suggestion.pictures[:-1]]
    if len(keys) == 1:
        return {
            "act": _call("confirm", picture=keys[0], identity=second),
            "keep": _call("reject", picture=keys[0], identity=second),
        }
    return {"act": _call("split", identity=first, pictures=keys, into=suggestion.command[-1]), "keep": apart}


def _call(action: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401  (of that action)
    return {"path": _BASE + action, "body": body}
