"""A service in this process, asked without a network."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from catalogues import draw
from PIL import Image
from starlette.testclient import TestClient

from nearid_search.image_encoder import ImageEncoder
from nearid_search.server.app import make_app
from nearid_search.server.config import ServeConfig
from nearid_search.server.launch import StoppableServer, listening_socket, settings_for
from nearid_search.server.service import Service
from nearid_search.server.tokens import Token

ADDRESS = "http://127.0.0.1:8000"


@dataclass
class Served:
    """A service, and a client that speaks to its application."""

    service: Service
    client: TestClient

    @classmethod
    def start(
        cls, gallery: Path, encoder: ImageEncoder | None, config: ServeConfig, settings: dict[str, Any]
    ) -> Served:
        """Start one; ``tokens`` among the settings are the application's, the others the configuration's."""
        tokens: tuple[Token, ...] = settings.pop("tokens", ())
        service = Service(gallery, replace(config, **settings), encoder=encoder)
        client = TestClient(make_app(service, tokens=tokens), base_url=ADDRESS, raise_server_exceptions=False)
        client.__enter__()
        return cls(service, client)

    def close(self) -> None:
        """Stop it."""
        self.client.__exit__(None, None, None)

    def ask(self, *pictures: bytes, **form: Any) -> Any:
        """Query pictures and return what comes back."""
        return self.client.post("/v1/query", files=files(*pictures), data=form)


def files(*pictures: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    """Pictures as form fields, named by number."""
    return [("images", (f"{n}.png", data, "image/png")) for n, data in enumerate(pictures, start=1)]


def picture(seed: int, folder: Path) -> bytes:
    """The bytes of a generated picture; the same seed gives those of the catalogue."""
    path = folder / f"drawn-{seed}.png"
    draw(path, seed)
    return path.read_bytes()


def plain(width: int = 80, height: int = 60, seed: int = 0) -> bytes:
    """A picture of noise as a PNG."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@contextmanager
def listening(service: Service, tokens: tuple[Token, ...] = ()) -> Iterator[str]:
    """Serve at a real port, in a thread; yields the address."""
    ready, found = threading.Event(), list[str]()

    def on_ready(address: str) -> None:
        found.append(address)
        ready.set()

    taken = listening_socket("127.0.0.1", 0)
    server = StoppableServer(settings_for(make_app(service, tokens=tokens)), on_ready)
    thread = threading.Thread(target=lambda: server.run(sockets=[taken]))
    thread.start()
    try:
        assert ready.wait(30)
        yield found[0]
    finally:
        server.should_exit = True
        thread.join(30)
        taken.close()
