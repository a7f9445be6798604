"""A collection of a Qdrant server, or of a folder that its client reads itself, which holds a copy of a gallery."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from nearid_search.errors import ConfigError, MissingExtraError, PublishError

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

KEY_VARIABLE = "QDRANT_API_KEY"
"""Environment variable with the server's key, if it asks for one."""

_OURS = "nearid"  # entry of the collection's metadata that says what it holds
_ROWS_AT_ONCE = 1_000
# A graph of the usual degree loses look-alikes; see docs/scaling.md.
_GRAPH_DEGREE = 32
_GRAPH_EFFORT = 200


PointName = int | str | UUID
"""What Qdrant knows a point by; those written here have the text of a UUID."""


class Point(NamedTuple):
    """One image as it stands in a collection.

    Attributes:
        key: the image's key.
        vector: its embedding, D floats.
        payload: everything else, as JSON has it.
    """

    key: str
    vector: list[float]
    payload: dict[str, Any]


class QdrantCollection:
    """One collection; every method raises ``PublishError`` if the engine does not answer or refuses.

    Args:
        client: an open client.
        name: of the collection.
        target: where it is, for messages.

    Attributes:
        name: as it was given.
    """

    def __init__(self, client: QdrantClient, name: str, *, target: str) -> None:
        self._client = client
        self.name = name
        self._target = target
        self._is_server = "://" in target

    @classmethod
    @contextmanager
    def open(cls, target: str, name: str) -> Iterator[QdrantCollection]:
        """Connect to where a collection is or will be.

        Args:
            target: address of a server, such as http://localhost:6333, or a folder.
            name: of the collection.

        Yields:
            The collection.

        Raises:
            ConfigError: if the target is neither.
            MissingExtraError: if Qdrant's client is not installed.
            PublishError: if the folder cannot be opened.
        """
        if importlib.util.find_spec("qdrant_client") is None:
            raise MissingExtraError("qdrant-client", "qdrant", "publishing a gallery")
        from qdrant_client import QdrantClient

        if "://" not in target and ":" in target:
            raise ConfigError(
                f"{target!r} is neither an address nor a folder: begin an address with http:// or https://"
            )
        with _explained(target):
            if "://" in target:
                client = QdrantClient(url=target, api_key=os.environ.get(KEY_VARIABLE), check_compatibility=False)
            else:
                client = QdrantClient(path=target)
        try:
            yield cls(client, name, target=target)
        finally:
            client.close()

    def says(self) -> dict[str, Any] | None:
        """Return what the collection says that it holds; None if it says nothing or is not there."""
        with _explained(self._target):
            if not self._client.collection_exists(self.name):
                return None
            held: dict[str, Any] = self._client.get_collection(self.name).config.metadata or {}
        return held.get(_OURS)

    def say(self, about: dict[str, Any]) -> None:
        """Write down what the collection holds."""
        with _explained(self._target):
            self._client.update_collection(self.name, metadata={_OURS: about})
        if self.says() != about:
            raise PublishError(f"{self._target} keeps no metadata of collections: it needs Qdrant 1.16 or later")

    def make(self, dim: int) -> None:
        """Make the collection if it is not there; one that is keeps its own settings.

        Args:
            dim: width of an embedding.

        Raises:
            PublishError: if it holds vectors of another width, several for each point, or ones compared by distance.
        """
        from qdrant_client import models

        with _explained(self._target):
            if not self._client.collection_exists(self.name):
                self._client.create_collection(
                    self.name,
                    vectors_config=models.VectorParams(size=dim, distance=models.Distance.DOT),
                    hnsw_config=models.HnswConfigDiff(m=_GRAPH_DEGREE, ef_construct=_GRAPH_EFFORT),
                )
            kept = self._client.get_collection(self.name).config.params.vectors
            if self._is_server:
                # Grouping reads the identity of every candidate.
                self._client.create_payload_index(self.name, "identity", models.PayloadSchemaType.KEYWORD)
        alike = (models.Distance.DOT, models.Distance.COSINE)  # the same for unit vectors
        if not isinstance(kept, models.VectorParams) or kept.size != dim or kept.distance not in alike:
            raise PublishError(
                f"collection {self.name!r} has other vectors ({kept}) than one of {dim} numbers compared by dot "
                "product: give another --collection"
            )

    def count(self) -> int:
        """Return how many points there are."""
        with _explained(self._target):
            return int(self._client.count(self.name, exact=True).count)

    def digests(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the entry ``digest`` of the payloads of those of some keys that are there."""
        with _explained(self._target):
            found = self._client.retrieve(self.name, list(map(_id_of, keys)), with_payload=["key", "digest"])
        payloads = [record.payload or {} for record in found]
        return {payload["key"]: payload["digest"] for payload in payloads if {"key", "digest"} <= payload.keys()}

    def put(self, points: Sequence[Point]) -> None:
        """Write points, in place of those that have their keys; when this returns, the engine has them."""
        from qdrant_client import models

        batch = models.Batch(
            ids=[_id_of(point.key) for point in points],
            vectors=[point.vector for point in points],
            payloads=[point.payload for point in points],
        )
        with _explained(self._target):
            self._client.upsert(self.name, batch, wait=True)

    def pages(self) -> Iterator[list[tuple[PointName, str]]]:
        """Yield the name and the key of all points, many at a time; those it has yielded may be deleted meanwhile."""
        after = None
        while True:
            with _explained(self._target):
                found, after = self._client.scroll(self.name, limit=_ROWS_AT_ONCE, offset=after, with_payload=["key"])
            yield [(record.id, str((record.payload or {}).get("key", ""))) for record in found]
            if after is None:
                return

    def delete(self, names: Sequence[PointName]) -> None:
        """Delete points by name."""
        from qdrant_client import models

        with _explained(self._target):
            self._client.delete(self.name, models.PointIdsList(points=list(names)), wait=True)


def _id_of(key: str) -> str:
    """Return the name of a point: 128 of the key's 256 bits, since Qdrant takes UUIDs and no longer text."""
    return str(UUID(hex=key[:32]))


@contextmanager
def _explained(target: str) -> Iterator[None]:
    from qdrant_client.http.exceptions import ApiException

    try:
        yield
    except (ApiException, OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise PublishError(
            f"{target} does not do what it is asked ({reason}): see that it runs, then give the command again, which "
            "goes on where it stopped"
        ) from error
