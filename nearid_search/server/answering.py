"""Do a batch of work on one engine: encode everything at once, then answer each question."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from nearid_search.engine import SearchEngine
from nearid_search.errors import GalleryReplacedError, NearIDError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.records import QueryAnswer
from nearid_search.server.metrics import Metrics
from nearid_search.server.snapshot import Snapshot
from nearid_search.server.work import Answered, AnyWork, Encoding, Question, Terms
from nearid_search.similarity import Embeddings, Rows

Asked = tuple[Question, Embeddings]


class Answering:
    """Does batches of work, one at a time.

    Args:
        current: gives the gallery that answers now.
        refresh: gives it after a look at what was written, for questions that a rebuild has overtaken.
        metrics: what is told of times and sizes.
        batch_size: pictures an encoder call.
    """

    def __init__(
        self,
        current: Callable[[], Snapshot],
        refresh: Callable[[], Snapshot],
        metrics: Metrics,
        *,
        batch_size: int,
    ) -> None:
        self._current, self._refresh = current, refresh
        self._metrics, self._batch_size = metrics, batch_size

    def run(self, batch: list[AnyWork]) -> None:
        """Resolve the future of each piece of work; a fault of one fails no other."""
        snapshot, started = self._current(), time.perf_counter()
        for piece in batch:
            self._metrics.note_stage("wait", started - piece.asked)
        self._metrics.note_batch(sum(piece.size for piece in batch))
        self._resolve(batch, snapshot)

    def _resolve(self, batch: Sequence[AnyWork], snapshot: Snapshot) -> None:
        questions: list[Asked] = []
        for piece, found in zip(batch, self._embeddings(batch, snapshot), strict=True):
            if isinstance(found, Exception):
                piece.future.set_exception(found)
            elif isinstance(piece, Encoding):
                piece.future.set_result(found)
            else:
                questions.append((piece, found))
        with self._metrics.stage("search"):
            self._answer(questions, snapshot)

    def _embeddings(self, batch: Sequence[AnyWork], snapshot: Snapshot) -> list[Embeddings | Exception]:
        """Encode the pictures of all work together; where that fails, of each piece alone, so that one is to blame."""
        try:
            encoder = snapshot.engine.encoder
            inputs = [piece.inputs(encoder) for piece in batch]
            with self._metrics.stage("encode"):
                embeddings = self._encode(np.concatenate(inputs), encoder)
            return list(np.split(embeddings, np.cumsum([piece.size for piece in batch])[:-1]))
        except (NearIDError, ValueError) as error:
            if len(batch) == 1:
                return [error]
            return [found for piece in batch for found in self._embeddings([piece], snapshot)]

    def _encode(self, images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], encoder: ImageEncoder) -> Embeddings:
        size = self._batch_size
        return np.concatenate([encoder.encode_prepared(images[at : at + size]) for at in range(0, len(images), size)])

    def _answer(self, questions: Sequence[Asked], snapshot: Snapshot) -> None:
        """Answer questions; those about one picture under the same terms are searched together."""
        alike: dict[tuple[Terms, frozenset[str]], list[Asked]] = defaultdict(list)
        for question, embeddings in questions:
            not_shown = snapshot.engine.enrolled.not_shown(picture.key for picture in question.pictures)
            alike[question.terms, not_shown].append((question, embeddings))
        for (terms, not_shown), group in alike.items():
            try:
                enrolled = snapshot.engine.enrolled
                allowed = enrolled.without(not_shown, enrolled.allowed(terms.where))
                answers = _answers(group, snapshot.engine, terms.k, allowed)
            except GalleryReplacedError:
                self._ask_again([question for question, _ in group])
            except Exception as error:  # noqa: BLE001  (handed to those who wait)
                for question, _ in group:
                    question.future.set_exception(error)
            else:
                for (question, _), answer in zip(group, answers, strict=True):
                    question.future.set_result(Answered(answer, snapshot, allowed))

    def _ask_again(self, questions: Sequence[Question]) -> None:
        """Put questions to the gallery that has taken the place of the one whose tables are gone."""
        try:
            snapshot = self._refresh()
        except Exception as error:  # noqa: BLE001  (handed to those who wait)
            for question in questions:
                question.future.set_exception(error)
        else:
            self._resolve(questions, snapshot)


def _answers(group: list[Asked], engine: SearchEngine, k: int, allowed: Rows | None) -> list[QueryAnswer]:
    single = [(question, found) for question, found in group if question.size == 1]
    by_question: dict[Question, QueryAnswer] = {}
    if single:
        found = engine.answer_many(
            np.concatenate([embedding for _, embedding in single]),
            labels=[question.label for question, _ in single],
            k=k,
            allowed=allowed,
            pictures=[question.pictures[0].pixels for question, _ in single],
        )
        by_question = {question: answer for (question, _), answer in zip(single, found, strict=True)}
    for question, embeddings in group:
        if question.size > 1:
            pixels = [picture.pixels for picture in question.pictures if picture.pixels is not None]
            by_question[question] = engine.answer_set(
                embeddings, label=question.label, k=k, allowed=allowed, pictures=pixels
            )
    return [by_question[question] for question, _ in group]
