"""A route that a person looks at: what goes wrong is a page, too."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from nearid_search.errors import NearIDError
from nearid_search.server.page.rendering import render
from nearid_search.server.problems import describe, on_http_error, on_invalid
from nearid_search.server.upload_route import CheckedRoute


class PageRoute(CheckedRoute):
    """Shows problems as pages with the status and the words that a program would get."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what handles a request."""
        handler = super().get_route_handler()

        async def show_problems(request: Request) -> Response:
            try:
                return await handler(request)
            except NearIDError as error:
                refused = describe(error)
            except HTTPException as error:
                refused = on_http_error(request, error)
            except RequestValidationError as error:
                refused = on_invalid(request, error)
            found = json.loads(bytes(refused.body))
            kept = {name: value for name, value in refused.headers.items() if name == "retry-after"}
            return render(request, "problem.html", status=refused.status_code, headers=kept, problem=found)

        return show_problems
