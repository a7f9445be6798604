"""The application: its routes, what stands before them, and how its errors look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from nearid_search import __version__
from nearid_search.amounts import parse_memory
from nearid_search.errors import NearIDError
from nearid_search.server.body_limit import BodyLimit
from nearid_search.server.gate import STATIC_PATH, Gate, known_hosts
from nearid_search.server.page import asking, browsing, reviewing, signing_in
from nearid_search.server.page.rendering import Assets
from nearid_search.server.problem_docs import complete
from nearid_search.server.problems import on_http_error, on_invalid, on_our_error
from nearid_search.server.routes import corrections, gallery, health, identities, query
from nearid_search.server.service import Service
from nearid_search.server.tokens import Token, is_loopback
from nearid_search.server.watched import Watched

_DESCRIPTION = "Find the same object, not the one that merely looks like it in the same place."


def make_app(service: Service, *, tokens: tuple[Token, ...] = ()) -> FastAPI:
    """Return the application of a service, whose end closes the service.

    Args:
        service: the service; ``app.state.service`` for those who add routes.
        tokens: those that are let in; none lets everybody in.
    """
    config = service.config

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.close)

    # The framework's own pages load scripts from elsewhere, so there are none.
    app = FastAPI(
        title="nearid-search",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.service = service
    app.state.uploads = asyncio.Semaphore(config.queue)
    app.state.review = asyncio.Semaphore(1)
    handlers: dict[type[Exception], Callable[..., object]] = {
        NearIDError: on_our_error,
        HTTPException: on_http_error,
        RequestValidationError: on_invalid,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]
    for part in (health, query, identities, corrections, gallery, asking, browsing, reviewing):
        app.include_router(part.router)
    app.include_router(signing_in.make_router(tokens))
    app.mount(STATIC_PATH, Assets())
    hosts = known_hosts(config.host, config.allow_hosts) if is_loopback(config.host) or config.allow_hosts else None
    document = app.openapi
    app.openapi = lambda: complete(document(), with_token=bool(tokens))  # type: ignore[method-assign]
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, most=parse_memory(config.max_upload), seconds=config.time_limit)
    app.add_middleware(Gate, tokens=tokens, hosts=hosts)
    app.add_middleware(Watched, metrics=service.metrics)
    return app
