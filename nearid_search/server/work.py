"""What callers want of the encoder: an answer about pictures, or their embeddings."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ServiceBusyError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.records import QueryAnswer
from nearid_search.server.snapshot import Snapshot
from nearid_search.similarity import Embeddings, Rows


@dataclass(frozen=True)
class Picture:
    """A picture that was sent and could be decoded.

    Attributes:
        name: what its sender calls it.
        key: SHA-256 of its bytes, in hex.
        pixels: (H, W, 3) uint8 RGB; None if nobody wants them, as those of many pictures would fill the memory.
        prepared: (S, S, 3) uint8 input of the encoder.
    """

    name: str
    key: str
    pixels: NDArray[np.uint8] | None
    prepared: NDArray[np.uint8]


@dataclass(frozen=True)
class Terms:
    """Under which terms a question is to be answered.

    Attributes:
        k: identities to list, at least 1.
        where: SQL condition on metadata; None for none.
        explain: whether to say why.
    """

    k: int
    where: str | None = None
    explain: bool = False


class Answered(NamedTuple):
    """An answer, and what it was found in.

    Attributes:
        answer: without an explanation.
        snapshot: the gallery as it was then.
        allowed: (A,) rows that were searched; None for all.
    """

    answer: QueryAnswer
    snapshot: Snapshot
    allowed: Rows | None


@dataclass(eq=False)
class Question:
    """Which identity one picture shows, or several pictures of one thing.

    Attributes:
        pictures: one, or those of the same thing.
        terms: how to answer.
        encoder: what the pictures were prepared for.
    """

    pictures: tuple[Picture, ...]
    terms: Terms
    encoder: ImageEncoder
    future: Future[Answered] = field(default_factory=Future)
    asked: float = field(default_factory=time.perf_counter)

    @property
    def size(self) -> int:
        """How many pictures are to be encoded."""
        return len(self.pictures)

    @property
    def label(self) -> str:
        """What the answer calls it."""
        return " + ".join(picture.name for picture in self.pictures)

    def inputs(self, encoder: ImageEncoder) -> NDArray[np.uint8]:
        """Return (size, S, S, 3) uint8 for an encoder.

        Raises:
            ServiceBusyError: if it is not the one that they were prepared for.
        """
        if encoder is not self.encoder:
            raise ServiceBusyError("the gallery was made anew by another encoder in this moment: ask again")
        return np.stack([picture.prepared for picture in self.pictures])


@dataclass(eq=False)
class Encoding:
    """The embeddings of images that are prepared.

    Attributes:
        images: (B, S, S, 3) uint8, B at least 1.
    """

    images: NDArray[np.uint8]
    future: Future[Embeddings] = field(default_factory=Future)
    asked: float = field(default_factory=time.perf_counter)

    @property
    def size(self) -> int:
        """How many images are to be encoded."""
        return len(self.images)

    def inputs(self, encoder: ImageEncoder) -> NDArray[np.uint8]:  # noqa: ARG002  (as of ``Question``)
        """Return the images."""
        return self.images


AnyWork = Question | Encoding
