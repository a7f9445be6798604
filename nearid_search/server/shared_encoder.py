"""The encoder as those see it who enrol pictures: their images wait in the same queue as everybody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ServiceBusyError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.server.work import Encoding
from nearid_search.similarity import Embeddings


class SharedEncoder(ImageEncoder):
    """An encoder whose network is run by the service's one thread.

    Args:
        inner: the encoder.
        submit: puts work into the queue.
        time_limit: seconds that one call may wait.
    """

    def __init__(self, inner: ImageEncoder, submit: Callable[[list[Encoding]], None], *, time_limit: float) -> None:
        super().__init__(inner.source, inner.preprocessing, inner.head, inner.foreground)
        self._inner, self._submit, self._time_limit = inner, submit, time_limit

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self._inner.dim

    @property
    def device(self) -> str:
        """Where it runs."""
        return self._inner.device

    @property
    def dtype(self) -> str:
        """Arithmetic of its network."""
        return self._inner.dtype

    @property
    def fingerprint(self) -> str:
        """Names all that decides an embedding."""
        return self._inner.fingerprint

    @property
    def details(self) -> dict[str, Any]:
        """What it is, for people."""
        return self._inner.details

    def encode_prepared(self, images: NDArray[np.uint8]) -> Embeddings:
        """Encode images that ``prepare`` has resized; see ``ImageEncoder``.

        Raises:
            ServiceBusyError: if the queue is full, or nobody came to them in time.
        """
        if not len(images):
            return np.empty((0, self.dim), np.float32)
        work = Encoding(images)
        self._submit([work])
        try:
            return work.future.result(self._time_limit)
        except TimeoutError as error:
            work.future.cancel()
            raise ServiceBusyError(f"nobody encoded them within {self._time_limit:g} s: ask later") from error
