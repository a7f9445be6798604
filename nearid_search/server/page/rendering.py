"""Templates become answers; what every page shows is added here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

import jinja2
from fastapi import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from nearid_search import __version__
from nearid_search.amounts import parse_memory
from nearid_search.server.gate import CONTENT_POLICY, STATIC_PATH, TOKEN_KEY
from nearid_search.server.page import wording
from nearid_search.server.requests import get_service

# A picture that was asked about is shown from within the page, and one that was chosen from the browser's memory.
_PAGE_POLICY = f"{CONTENT_POLICY}; img-src 'self' data: blob:; object-src 'none'"


class Assets(StaticFiles):
    """Our style sheets and scripts; browsers ask each time whether theirs still hold, so a new release is seen."""

    def __init__(self) -> None:
        super().__init__(packages=[("nearid_search.server.page", "static")])

    async def get_response(self, path: str, scope: Scope) -> Any:  # noqa: ANN401  (as of the base class)
        """Return a file."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: object
) -> HTMLResponse:
    """Return a page.

    Args:
        request: what is answered.
        template: name of the template.
        status: HTTP status.
        headers: further headers.
        values: what the template shows; text is escaped.
    """
    service = get_service(request)
    shared = {
        "path": request.url.path,
        "gallery_name": service.live.folder.absolute().name,
        "can_write": not service.config.read_only,
        "signed_in": request.scope.get(TOKEN_KEY) is not None,
        "most_bytes": parse_memory(service.config.max_upload),
        "most_images": service.config.max_images,
        "static": STATIC_PATH,
        "release": __version__,
    }
    html = _environment().get_template(template).render(**shared | values)
    return HTMLResponse(html, status, {"Content-Security-Policy": _PAGE_POLICY, **(headers or {})})


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nearid_search.server.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "in_url": lambda text: quote(text, safe=""),
        "figure": "{:,}".format,
        "score": "{:.3f}".format,
        "percent": lambda share: f"{100 * share:.0f} %",
        "moment": wording.moment,
        "file_name": wording.file_name,
        "plural": wording.plural,
        "without_keys": wording.without_keys,
    }
    return environment
