"""Listen until told to stop, then end what has begun."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from nearid_search.errors import ConfigError
from nearid_search.server.app import make_app
from nearid_search.server.connections import connection_of
from nearid_search.server.service import Service
from nearid_search.server.tokens import Token, require_token

_SECONDS_TO_STOP = 30
_CALLERS_WAITING = 512
_MOST_HEADER_BYTES = 32 * 1024

OnReady = Callable[[str], None]


def listen(
    service: Service, *, tokens: tuple[Token, ...] = (), insecure: bool = False, on_ready: OnReady | None = None
) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM); requests that have begun are answered first.

    Args:
        service: what answers; it is closed at the end.
        tokens: those that are let in; none lets everybody in.
        insecure: whether there need be no token although other machines can reach the address.
        on_ready: told the address once requests are taken.

    Raises:
        ConfigError: if a token is needed and there is none, or the address cannot be listened at.
    """
    config = service.config
    try:
        require_token(config.host, tokens, insecure=insecure)
        with closing(listening_socket(config.host, config.port)) as taken:
            server = StoppableServer(
                settings_for(make_app(service, tokens=tokens)), on_ready or (lambda _address: None)
            )
            server.run(sockets=[taken])
    finally:
        service.close()


def settings_for(app: FastAPI) -> uvicorn.Config:
    """Return how an application is served."""
    return uvicorn.Config(
        app,
        http=connection_of(app),
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        timeout_graceful_shutdown=_SECONDS_TO_STOP,
    )


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: if the address cannot be listened at.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        taken = socket.create_server((host.strip("[]"), port), family=family, backlog=_CALLERS_WAITING)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}: give another --host or --port"
        ) from error
    # Connections inherit it. Without, the end of an answer waits 40 ms until the caller has acknowledged its beginning.
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    return taken


class StoppableServer(uvicorn.Server):
    """A server that says when it is ready, and for which being told to stop is no fault.

    Args:
        config: of the server.
        on_ready: told the address once requests are taken.
    """

    def __init__(self, config: uvicorn.Config, on_ready: OnReady) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take requests, and say so."""
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            self._on_ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal; the base class would raise it once more in the end, as if the process had been killed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.handle_exit(number, frame)
