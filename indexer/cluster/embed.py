"""Embed what a survey found on the workers of a Ray cluster, and bring it into the gallery in one commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nearid_search.config import ClusterConfig, IndexConfig
from nearid_search.errors import ClusterError, NearIDError
from nearid_search.indexer.catalogue.pipeline import ReadFile
from nearid_search.indexer.catalogue.scan import ScannedFile
from nearid_search.indexer.catalogue.survey import Survey
from nearid_search.indexer.cluster.commit import choose_rows, commit_rows
from nearid_search.indexer.cluster.embed_worker import EmbedWorker, WorkOrder, batch_table
from nearid_search.indexer.cluster.ray_session import num_workers, ray_session, require_ray
from nearid_search.indexer.cluster.staging import Staging
from nearid_search.indexer.gallery import Gallery

if TYPE_CHECKING:
    import pyarrow as pa

_NOT_ASKED = -1  # size of an address before it is fetched
_BATCHES_A_WORKER = 4  # at least, so that no worker waits long for the last

OnCounts = Callable[[int, int], None]


class ClusterEmbedding:
    """The embedding of one run on a cluster.

    Args:
        gallery: where to write; the caller holds its writer lock.
        survey: what there is to do.
        cluster: which cluster, and how much of it.
        config: how to index.
        on_counts: called with how many more pictures were read and how many of them failed.
    """

    def __init__(
        self, gallery: Gallery, survey: Survey, cluster: ClusterConfig, config: IndexConfig, on_counts: OnCounts
    ) -> None:
        require_ray()
        self._gallery, self._survey, self._cluster, self._config = gallery, survey, cluster, config
        self._on_counts = on_counts
        self._tables = gallery.folder / gallery.manifest.tables
        self._staging = Staging(
            self._tables,
            catalogue=survey.stored_catalogue,
            encoder=gallery.manifest.encoder.fingerprint,
            schema=gallery.store.images.schema,
        )

    def embed(self, known: set[str]) -> dict[str, ReadFile]:
        """Embed what no earlier run has staged, on the cluster's workers; nothing is committed.

        Args:
            known: keys that the gallery has.

        Returns:
            What reading each picture gave, by its name in the catalogue.

        Raises:
            ClusterError: if there is no cluster, or its workers cannot do their work.
            NearIDError: what a worker raised, such as that weights are missing there.
        """
        wanted = self._survey.plan.to_read
        self._drop_what_lacks_its_rows(known)
        found = self._staged()
        done = [found[file.path] for file in wanted if _is_of(file, found.get(file.path))]
        self._on_counts(len(done), sum(item.error is not None for item in done))
        left = [file for file in wanted if not _is_of(file, found.get(file.path))]
        if left:
            with ray_session(self._cluster.address):
                self._run(left)
        found = self._staged()
        missing = [file.path for file in wanted if not _is_of(file, found.get(file.path))]
        if missing:
            raise ClusterError(
                f"the workers left {len(missing)} pictures out, such as {missing[0]}: they and this machine must see "
                f"{self._gallery.folder} under the same path"
            )
        return {file.path: found[file.path] for file in wanted}

    def commit(self, wanted: set[str]) -> set[str]:
        """Take the staged rows into the images table, in one version.

        Args:
            wanted: keys that the gallery lacks and the pictures that were read have.

        Returns:
            The keys that are new.
        """
        order = {self._survey.stored(file.path): place for place, file in enumerate(self._survey.plan.to_read)}
        chosen = choose_rows(list(self._staging.batches()), order, wanted)
        commit_rows(self._tables, chosen)
        self._gallery.store.images.checkout_latest()
        return {batch.rows[row][0] for batch, rows in chosen for row in rows}

    def clear(self) -> None:
        """Forget what was staged; the ledger has it now."""
        self._staging.clear()

    def _drop_what_lacks_its_rows(self, known: set[str]) -> None:
        """Forget batches that left bytes out because the gallery had them, if it has lost them since."""
        batches = list(self._staging.batches())
        there = known.union(key for batch in batches for key, _ in batch.rows)
        for batch in batches:
            if any(item.error is None and item.key is not None and item.key not in there for item in batch.items):
                batch.note.unlink()

    def _staged(self) -> dict[str, ReadFile]:
        return {item.file.path: item for batch in self._staging.batches() for item in batch.items}

    def _run(self, files: list[ScannedFile]) -> None:
        import ray
        from ray.data import ActorPoolStrategy
        from ray.exceptions import RayError

        workers, gpus = num_workers(self._cluster.workers)
        batches = ray.data.from_arrow(self._batches(files, workers))
        embedded = batches.map_batches(
            EmbedWorker,
            fn_constructor_args=[self._order()],
            batch_format="pyarrow",
            batch_size=None,  # a block is a batch, so that one that is done again has the same name
            compute=ActorPoolStrategy(size=min(workers, batches.num_blocks())),
            num_cpus=self._cluster.cores,
            num_gpus=gpus,
        )
        try:
            for counts in embedded.iter_rows():
                self._on_counts(int(counts["done"]), int(counts["failed"]))
        except RayError as error:
            cause = _cause_of(error)
            if isinstance(cause, NearIDError):
                raise cause from error
            raise ClusterError(
                f"a worker failed ({type(cause).__name__}: {str(cause).strip().splitlines()[-1]}): what has been "
                "embedded is kept for the next run"
            ) from error

    def _batches(self, files: list[ScannedFile], workers: int) -> list[pa.Table]:
        size = max(1, min(self._config.write_rows, len(files) // (_BATCHES_A_WORKER * workers)))
        fields = self._gallery.store.metadata_fields
        parts = [files[start : start + size] for start in range(0, len(files), size)]
        return [
            batch_table(part, [self._survey.label(self._survey.stored(file.path)) for file in part], list(fields))
            for part in parts
        ]

    def _order(self) -> WorkOrder:
        return WorkOrder(
            folder=self._gallery.folder,
            manifest_name=self._gallery.manifest_name,
            catalogue=self._survey.stored_catalogue,
            source=self._survey.source,
            device=self._cluster.device,
            batch_size=self._config.batch_size,
            decoders=self._config.decoders or self._cluster.cores,
        )


def _is_of(file: ScannedFile, item: ReadFile | None) -> bool:
    """Say whether a staged picture is the one that is to be read; of an address there is no telling before."""
    if item is None:
        return False
    same = (item.file.size, item.file.mtime_ns) == (file.size, file.mtime_ns)
    return same or file.size == _NOT_ASKED


def _cause_of(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error
