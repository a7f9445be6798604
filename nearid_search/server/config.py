"""Defaults of the service; the command line reads them from here."""

from __future__ import annotations

from dataclasses import dataclass

from nearid_search.amounts import parse_latency, parse_memory
from nearid_search.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """What the HTTP service lets in, and how it shares one encoder among its callers.

    Attributes:
        host: address to listen at; one other than loopback needs a token.
        port: to listen at; 0 for any that is free.
        allow_hosts: further names by which callers may address the service, beside those of loopback.
        read_only: answer only; nothing is written.
        max_upload: bytes of one request, such as "256M": ``max_images`` photographs of a telephone at 16 MiB each.
        max_images: pictures in one request.
        max_pixels: pixels of one picture, in millions; what the free memory allows counts, too.
        batch_size: pictures an encoder call.
        batch_wait: how long a batch waits for more at most, while more is expected, such as "30ms".
        queue: pictures that may wait for the encoder; one more is refused.
        time_limit: seconds that receiving a request, and then answering its pictures, may take; a body that comes at
            256 KiB a second or more has longer.
        refresh_every: seconds between looks at whether another process has written to the gallery; ten at
            least where it is in an object store.

    Raises:
        ConfigError: if an amount cannot be read or is out of range.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    allow_hosts: tuple[str, ...] = ()
    read_only: bool = False
    max_upload: str = "256M"
    max_images: int = 16
    max_pixels: float = 50.0
    batch_size: int = 8
    batch_wait: str = "30ms"
    queue: int = 64
    time_limit: float = 30.0
    refresh_every: float = 2.0

    def __post_init__(self) -> None:
        parse_memory(self.max_upload)
        parse_latency(self.batch_wait)
        if not 0 <= self.port < 65_536:
            raise ConfigError(f"port must be from 0 to 65535, got {self.port}")
        for name in ("max_images", "batch_size", "queue"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("max_pixels", "time_limit", "refresh_every"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.queue < self.max_images:
            raise ConfigError(f"queue must hold the {self.max_images} pictures of one request, got {self.queue}")
