"""Explanations in a thread of their own: each takes as long as several queries, which must not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from nearid_search.records import QueryAnswer
from nearid_search.server.metrics import Metrics
from nearid_search.server.work import Answered, Question


@dataclass(eq=False)
class Explaining:
    """An answer that is to be explained."""

    question: Question
    answered: Answered
    future: Future[QueryAnswer] = field(default_factory=Future)

    @property
    def size(self) -> int:
        """How many pictures are to be looked at again."""
        return self.question.size


def explain_all(batch: Sequence[Explaining], metrics: Metrics) -> None:
    """Resolve the future of each piece of work; a fault of one fails no other."""
    for piece in batch:
        try:
            with metrics.stage("explain"):
                explained = explain(piece.question, piece.answered)
        except Exception as error:  # noqa: BLE001  (handed to those who wait)
            piece.future.set_exception(error)
        else:
            piece.future.set_result(explained)


def explain(question: Question, answered: Answered) -> QueryAnswer:
    """Return an answer with what speaks for it, by the state that gave it; one without matches stays as it is."""
    answer, snapshot, allowed = answered
    if not answer.matches:
        return answer
    pixels = [picture.pixels for picture in question.pictures if picture.pixels is not None]
    found = snapshot.explainer.explain(*pixels, identity=answer.matches[0].identity, allowed=allowed)
    if found is None:
        return answer
    said = zip(found.pictures, question.pictures, strict=True)
    named = tuple(replace(evidence, query=picture.name) for evidence, picture in said)
    return replace(answer, explanation=replace(found, pictures=named))
