"""What to send to act on a suggestion, and what to send so that it is not offered again."""

from __future__ import annotations

from typing import Any

from nearid_search.suggestion import Suggestion

_BASE = "/v1/corrections/"


def as_calls(suggestion: Suggestion) -> dict[str, Any]:
    """Return the two requests under ``act`` and ``keep``, each with path and body."""
    first, last = suggestion.identities[0], suggestion.identities[-1]
    keys = [picture.key for picture in suggestion.pictures[:-1]]
    if suggestion.kind == "duplicate":
        _, merged, _, into = suggestion.command
        act, keep = _call("merge", identities=[merged], into=into), _call("reject", picture=first, identity=last)
    elif suggestion.kind == "outlier":
        act = _call("split", identity=first, pictures=keys, into=suggestion.command[-1])
        keep = _call("confirm", picture=keys[0], identity=first)
    elif len(keys) == 1:
        act = _call("confirm", picture=keys[0], identity=last)
        keep = _call("reject", picture=keys[0], identity=last)
    else:
        act = _call("split", identity=first, pictures=keys, into=suggestion.command[-1])
        keep = _call("reject", picture=first, identity=last)
    return {"act": act, "keep": keep}


def _call(action: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401  (of that action)
    return {"path": _BASE + action, "body": body}
