"""The service without HTTP: a live gallery, one encoder shared by all, and corrections one after another."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from nearid_search.amounts import parse_latency
from nearid_search.config import QueryConfig
from nearid_search.engine import SearchEngine
from nearid_search.errors import NearIDError, ServiceBusyError, UnreadableImageError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.corrections.actions import GalleryCorrections
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.gallery_stamp import written_at
from nearid_search.indexer.search.stored_index import OnWarning
from nearid_search.records import Failure, QueryAnswer
from nearid_search.server.answering import Answering
from nearid_search.server.batching import Batcher
from nearid_search.server.config import ServeConfig
from nearid_search.server.enrolling import EnrolledUpload, enrol_pictures
from nearid_search.server.explaining import Explaining, explain_all
from nearid_search.server.live_gallery import LiveGallery
from nearid_search.server.metrics import Metrics
from nearid_search.server.review_desk import ReviewDesk
from nearid_search.server.shared_encoder import SharedEncoder
from nearid_search.server.snapshot import Snapshot
from nearid_search.server.uploads import Upload, decode, prepare
from nearid_search.server.work import Answered, AnyWork, Picture, Question, Terms

_MEGA = 1_000_000
_DECODERS = 4
_WRITES_WAITING = 16

T = TypeVar("T")


class Asked(NamedTuple):
    """What came of one picture, or of several of one thing.

    Attributes:
        name: what its sender calls the picture, or the first of them.
        keys: SHA-256 of the bytes of each; empty if it cannot be read.
        answer: the answer, or why there is none.
    """

    name: str
    keys: tuple[str, ...]
    answer: QueryAnswer | Failure


class Service:
    """One gallery, ready for callers.

    Args:
        gallery: its folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
        config: bounds and batches.
        device: "auto", "cpu", "cuda" or "cuda:N".
        backend: one of ``indexer.search.backend.BACKENDS``.
        rerank: as for ``SearchEngine``.
        encoder: the gallery's, if it is open already.
        on_warning: told of a search index or calibration that cannot be used.

    Raises:
        GalleryError: if the gallery is missing, damaged or of another format.
        WeightsError: if the encoder's weights are missing.
    """

    def __init__(
        self,
        gallery: str | Path | None = None,
        config: ServeConfig | None = None,
        *,
        device: str = "auto",
        backend: str = QueryConfig.backend,
        rerank: str = QueryConfig.rerank,
        encoder: ImageEncoder | None = None,
        on_warning: OnWarning | None = None,
    ) -> None:
        self.config = config or ServeConfig()
        self.metrics = Metrics()
        self._most_pixels = round(self.config.max_pixels * _MEGA)

        def open_engine(opened: Gallery, held: ImageEncoder | None) -> SearchEngine:
            record = opened.manifest.encoder
            if record.backbone is None:
                held = None
            elif held is None or held.fingerprint != record.fingerprint:
                held = opened.open_encoder(device=device)
                _warm_up(held)
            return SearchEngine(opened, held, backend=backend, rerank=rerank, device=device, on_warning=on_warning)

        self.live = LiveGallery(
            Gallery.open(gallery),
            open_engine,
            encoder=encoder,
            every=self.config.refresh_every,
            mend_index=not self.config.read_only,
            on_refresh=lambda outcome: self.metrics.refreshes.labels(outcome).inc(),
        )
        self.review_desk = ReviewDesk(lambda: self.live.current)
        answering = Answering(
            lambda: self.live.current, self.live.refresh, self.metrics, batch_size=self.config.batch_size
        )
        self.batcher: Batcher[AnyWork] = Batcher(
            answering.run,
            batch_size=self.config.batch_size,
            wait=parse_latency(self.config.batch_wait),
            capacity=self.config.queue,
            expects_more=lambda: self._decoding > 0,
        )
        self.explainer: Batcher[Explaining] = Batcher(
            lambda batch: explain_all(batch, self.metrics), batch_size=1, wait=0, capacity=self.config.queue
        )
        self._decoding = 0
        self._decoders = ThreadPoolExecutor(_DECODERS, thread_name_prefix="decoder")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._writes = threading.BoundedSemaphore(_WRITES_WAITING)
        self._add_gauges()

    def _add_gauges(self) -> None:
        gauge, live = self.metrics.gauge, self.live
        gauge("nearid_queue_pictures", "Pictures that wait for the encoder.", lambda: self.batcher.depth)
        gauge("nearid_explanation_pictures", "Pictures that wait to be explained.", lambda: self.explainer.depth)
        gauge("nearid_gallery_version", "Version of the gallery that answers.", lambda: live.current.version)
        gauge("nearid_gallery_images", "Images in it.", lambda: len(live.current.engine.rows))
        gauge("nearid_gallery_identities", "Identities in it.", lambda: len(live.current.identities))
        gauge("nearid_gallery_age_seconds", "Since images were last written.", self._age)
        gauge(
            "nearid_index_rows_beside",
            "Images that the search index lacks and that are scanned.",
            lambda: live.current.rows_beside_the_index,
        )

    def _age(self) -> float:
        return time.time() - written_at(self.live.folder, self.live.current.engine.gallery.manifest.tables)

    @property
    def current(self) -> Snapshot:
        """The gallery that answers now."""
        return self.live.current

    async def query(self, uploads: Sequence[Upload], terms: Terms, *, same: bool) -> list[Asked]:
        """Answer pictures, each alone or all as one thing.

        Args:
            uploads: the pictures, at least one.
            terms: how to answer.
            same: they show one thing; then there is one answer, beside the first of them.

        Returns:
            One answer or failure a picture, in order.

        Raises:
            NoEncoderError: if the gallery's embeddings were imported.
            ServiceBusyError: if too many pictures wait, or it took longer than it may.
            UnreadableImageError: with ``same``, if one of the pictures cannot be read.
            FilterError: if the condition cannot be evaluated.
        """
        encoder = self.current.engine.encoder
        with self.metrics.stage("decode"):
            keep = terms.explain or self.current.engine.second_look.is_on
            decode_one = partial(decode, encoder=encoder, max_pixels=self._most_pixels, keep_pixels=keep)
            decoded = await self._decoded(uploads, decode_one)
        if same:
            pictures = [_readable(found) for found in decoded]
            questions = [Question(tuple(pictures), terms, encoder)]
        else:
            questions = [Question((found,), terms, encoder) for found in decoded if isinstance(found, Picture)]
        self.batcher.submit(questions)
        answered = await self._wait([asyncio.wrap_future(question.future) for question in questions])
        answers = iter(await self._explained(questions, answered) if terms.explain else [a.answer for a in answered])
        if same:
            return [Asked(uploads[0].name, tuple(picture.key for picture in pictures), next(answers))]
        return [
            Asked(found.name, (found.key,), next(answers))
            if isinstance(found, Picture)
            else Asked(found.path, (), found)
            for found in decoded
        ]

    async def _explained(self, questions: Sequence[Question], answers: Sequence[Answered]) -> list[QueryAnswer]:
        pieces = [Explaining(question, answered) for question, answered in zip(questions, answers, strict=True)]
        self.explainer.submit(pieces)
        return await self._wait([asyncio.wrap_future(piece.future) for piece in pieces])

    async def _decoded(self, uploads: Sequence[Upload], decode_one: Callable[[Upload], T]) -> list[T]:
        """Decode pictures in threads; while that goes on, a batch waits for them."""
        loop = asyncio.get_running_loop()
        self._decoding += 1
        try:
            return await self._wait([loop.run_in_executor(self._decoders, decode_one, upload) for upload in uploads])
        finally:
            self._decoding -= 1

    async def _wait(self, futures: Sequence[asyncio.Future[T]]) -> list[T]:
        try:
            async with asyncio.timeout(self.config.time_limit):
                return await asyncio.gather(*futures)
        except TimeoutError as error:
            limit = self.config.time_limit
            raise ServiceBusyError(f"the pictures were not answered within {limit:g} s: ask later, or fewer") from error
        finally:
            for future in futures:
                future.cancel()

    async def enrol(
        self, uploads: Sequence[Upload], identity: str, *, new: bool, by: str, because: str | None
    ) -> list[EnrolledUpload]:
        """Make pictures views of an identity; see ``GalleryCorrections.enrol``.

        Args:
            uploads: the pictures, at least one.
            identity: what they show.
            new: the first that can be read is the first view of that identity.
            by: who says so.
            because: why.

        Returns:
            What was done with each, or why it cannot be read, in order.

        Raises:
            CorrectionError: if the identity is unknown (with ``new``: known), or the first picture was said not to
                show it; one that follows an enrolled picture gives a failure instead.
        """
        encoder = self.current.engine.encoder
        decoded = await self._decoded(uploads, partial(prepare, encoder=encoder, max_pixels=self._most_pixels))
        shared = SharedEncoder(encoder, self.batcher.submit, time_limit=self.config.time_limit)

        enrol_all = partial(enrol_pictures, uploads=uploads, decoded=decoded, encoder=shared)
        return await self.correct(lambda desk: enrol_all(desk, identity, new=new, by=by, because=because))

    async def correct(self, make: Callable[[GalleryCorrections], T]) -> T:
        """Correct the gallery; whoever asks afterwards is answered from the corrected one.

        Args:
            make: makes the corrections; it runs in a thread, after those that came before it.

        Raises:
            ServiceBusyError: if too many corrections wait.
            NearIDError: what ``make`` raises.
        """
        if not self._writes.acquire(blocking=False):
            raise ServiceBusyError(f"{_WRITES_WAITING} corrections are waiting: correct later", retry_after=5)

        def write() -> T:
            try:
                return make(GalleryCorrections(Gallery.open(self.live.folder), files=False))
            finally:
                self._writes.release()
                self._see_what_was_written()

        # Not given up when its caller leaves: what has been begun ends, and is in the log.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._writer, write))

    def _see_what_was_written(self) -> None:
        with suppress(NearIDError):  # the correction holds; the watching thread says what is wrong
            self.live.refresh()

    def close(self) -> None:
        """Finish what has begun and stop."""
        self.review_desk.close()
        self._writer.shutdown()
        self.batcher.close()
        self.explainer.close()
        self._decoders.shutdown()
        self.live.close()


def _readable(found: Picture | Failure) -> Picture:
    if isinstance(found, Failure):
        raise UnreadableImageError(found.path, found.error)
    return found


def _warm_up(encoder: ImageEncoder) -> None:
    """Encode an empty picture: the first call of a network is slower than all others."""
    size = encoder.preprocessing.size
    encoder.encode_prepared(np.zeros((1, size, size, 3), np.uint8))
