"""A route that looks at a request before its body is read: its media type, and whether there is room for it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from nearid_search.errors import ServiceBusyError, ServiceError


class CheckedRoute(APIRoute):
    """Refuses bodies of another media type, and uploads while as many are being received as may wait."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what handles a request."""
        handler = super().get_route_handler()
        wanted = getattr(self.body_field.field_info, "media_type", None) if self.body_field else None
        is_upload = wanted == "multipart/form-data"

        async def check_first(request: Request) -> Response:
            if wanted is not None:
                _check_media_type(request, wanted)
            if not is_upload:
                return await handler(request)
            room = request.app.state.uploads
            if room.locked():
                raise ServiceBusyError("as many uploads are being received as may be: ask later")
            async with room:
                return await handler(request)

        return check_first


def _check_media_type(request: Request, wanted: str) -> None:
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != wanted:
        raise ServiceError(f"the body is {given or 'of no media type'}, expected {wanted}", status=415)
