"""Whether the service answers, and its figures."""

from __future__ import annotations

from fastapi import APIRouter, Response

from nearid_search.errors import ServiceBusyError
from nearid_search.server.metrics import CONTENT_TYPE
from nearid_search.server.problem_docs import REFUSALS
from nearid_search.server.requests import ServiceOf

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=dict[str, str], responses=REFUSALS)
async def health(service: ServiceOf) -> dict[str, str]:
    """Say that pictures are being answered; the one path that needs no token."""
    if not service.batcher.alive:
        raise ServiceBusyError("the service is stopping")
    return {"status": "ok"}


@router.get("/metrics", response_class=Response, responses={**REFUSALS, 200: {"content": {"text/plain": {}}}})
async def metrics(service: ServiceOf) -> Response:
    """Return requests, latency by stage, queue, and the gallery's age in the text format of Prometheus."""
    return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})
