"""Errors as RFC 9457 problem details: one table from the tree in ``errors`` to statuses and types."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from nearid_search import errors
from nearid_search.client import kind_of
from nearid_search.errors import NearIDError, ServiceBusyError, ServiceError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:nearid-search:problem:"
RETRY_SECONDS = 5

_STATUSES: dict[type[NearIDError], int] = {
    errors.CalibrationError: 409,
    errors.ConfigError: 422,
    errors.CorrectionError: 409,
    errors.FilterError: 422,
    errors.GalleryLockedError: 503,
    errors.GalleryNotFoundError: 503,
    errors.GalleryReplacedError: 503,
    errors.GalleryWriteError: 507,
    errors.NoEncoderError: 409,
    errors.NotFoundError: 404,
    errors.ShapeError: 422,
    errors.StorageError: 503,
    errors.UnreadableImageError: 422,
}
"""What is the caller's to mend; all else is the service's fault."""


_NEW_NAMES = {413: "content-too-large", 422: "unprocessable-content"}
"""As RFC 9110 calls them; earlier versions of Python have other words."""


def problem(
    status: int, detail: str, *, kind: str = "", headers: dict[str, str] | None = None, **more: object
) -> JSONResponse:
    """Return a problem document.

    Args:
        status: HTTP status.
        detail: what happened, what was expected and what to do.
        kind: name of the error; by default that of the status.
        headers: further headers of the answer.
        more: extension members.
    """
    kind = kind or _NEW_NAMES.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "-")
    body = {"type": TYPE_PREFIX + kind, "title": _title(kind), "status": status, "detail": detail, **more}
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def describe(error: NearIDError) -> JSONResponse:
    """Return an error of the tree as a problem."""
    status = status_of(error)
    headers = {}
    if isinstance(error, ServiceBusyError):
        headers["Retry-After"] = str(error.retry_after)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="nearid-search"'
    kind = "" if type(error) is ServiceError else kind_of(type(error))
    more = {"image": error.path} if isinstance(error, errors.UnreadableImageError) else {}
    return problem(status, str(error), kind=kind, headers=headers, **more)


def status_of(error: NearIDError) -> int:
    """Return the HTTP status of an error: that of its nearest class in the table, else 500."""
    if isinstance(error, ServiceError):
        return error.status or HTTPStatus.INTERNAL_SERVER_ERROR
    return next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), 500)


def on_our_error(_: Request, error: Exception) -> JSONResponse:
    """Handle an error of the tree."""
    assert isinstance(error, NearIDError)  # noqa: S101  (registered for it)
    return describe(error)


def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Handle what the framework refuses: unknown paths, wrong methods, bodies that cannot be parsed."""
    assert isinstance(error, HTTPException)  # noqa: S101
    detail = {
        HTTPStatus.NOT_FOUND: f"there is nothing at {request.url.path}: /openapi.json lists the paths",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.url.path} cannot be asked with {request.method}",
    }.get(HTTPStatus(error.status_code), str(error.detail))
    return problem(error.status_code, detail, headers=dict(error.headers or {}))


def on_invalid(_: Request, error: Exception) -> JSONResponse:
    """Handle parameters and bodies of another form than documented."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = [{"where": ".".join(map(str, item["loc"])), "what": item["msg"]} for item in error.errors()]
    detail = "; ".join(f"{item['where']}: {item['what']}" for item in found)
    return problem(422, detail, kind="invalid-request", errors=found)


def _title(kind: str) -> str:
    return kind.replace("-", " ").capitalize()
