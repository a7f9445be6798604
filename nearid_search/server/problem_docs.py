"""What the OpenAPI document says of refusals."""

from __future__ import annotations

from typing import Any

from nearid_search.server.models import Problem
from nearid_search.server.problems import MEDIA_TYPE

_MEANINGS = {
    "400": "The request cannot be parsed.",
    "401": "There is no token, or it is not known.",
    "403": "A page of another site, or a read-only service.",
    "404": "There is no such identity, picture or entry.",
    "405": "The path has no such method.",
    "408": "The request did not come in time.",
    "409": "It contradicts what holds, or the gallery cannot do it.",
    "413": "Too many bytes or pictures.",
    "415": "The body is of another media type.",
    "421": "The service is not called so.",
    "422": "A value that cannot be used, or a picture that cannot be read.",
    "500": "The service has failed.",
    "503": "Too much to do, or the gallery is being written; Retry-After says when to ask again.",
    "507": "The gallery cannot be written.",
}


def _response(status: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": _MEANINGS[status], "content": {MEDIA_TYPE: {"schema": schema}}}


REFUSALS: dict[int | str, dict[str, Any]] = {int(status): _response(status) for status in _MEANINGS}
"""Every operation may end so."""


def complete(document: dict[str, Any], *, with_token: bool) -> dict[str, Any]:
    """Return an OpenAPI document with the form of a problem, and with how to show a token if one is asked for."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    if with_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document
