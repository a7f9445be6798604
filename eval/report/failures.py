"""The worst failures of an evaluation, as pictures: what was asked, the right answer, and what beat it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import UnreadableImageError
from nearid_search.eval.embedded_split import EmbeddedSplit
from nearid_search.eval.eval_report import EvalReport
from nearid_search.eval.protocols.gallery import NearestOthers
from nearid_search.images import decode_image, encode_thumbnail
from nearid_search.similarity import row_scores

_SIDE = 192  # pixels of a thumbnail: sharp on a phone, and some 10 kB


@dataclass(frozen=True)
class ShownPicture:
    """A picture of a strip.

    Attributes:
        identity: of a view, its own; of a distractor, the one it was made for; empty for a filler.
        kind: what it is of the identity.
        uri: a small JPEG as a data URI; empty if the picture can no longer be read.
        problem: why not; else empty.
    """

    identity: str
    kind: str
    uri: str
    problem: str = ""

    @property
    def label(self) -> str:
        """What it is, in full."""
        return f"{self.identity}, {self.kind}" if self.identity else self.kind


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One failure.

    Attributes:
        identity: that was asked for.
        asked: the query or anchor.
        right: the best other view of its identity.
        winner: what scored as high or higher.
        right_score: cosine of ``asked`` and ``right``.
        winner_score: cosine of ``asked`` and ``winner``.
        margins: of the same three pictures by every readout.
    """

    identity: str
    asked: ShownPicture
    right: ShownPicture
    winner: ShownPicture
    right_score: float
    winner_score: float
    margins: dict[str, float]

    @property
    def margin(self) -> float:
        """Right less winner, 0 or below."""
        return self.right_score - self.winner_score


@dataclass(frozen=True)
class Failures:
    """The worst of the failures of a kind.

    Attributes:
        readout: whose they are.
        strips: the worst of each of the worst identities, worst first.
        n_lost: failures in all.
        n_asked: trials in all.
        n_identities: identities with a failure.
    """

    readout: str
    strips: tuple[Strip, ...]
    n_lost: int
    n_asked: int
    n_identities: int


def worst_searches(report: EvalReport, readout: str, *, most: int) -> Failures:
    """Return the searches of the whole gallery that failed at rank 1 by the most.

    Args:
        report: what was found.
        readout: whose failures.
        most: strips, one an identity.
    """
    nearest: NearestOthers = report.readouts[readout].nearest
    placed = report.embedded.placed
    asked = (nearest.answers >= 0) & (nearest.rows >= 0)
    margins = np.where(asked, nearest.answer_scores.astype(np.float64) - nearest.scores, np.inf)
    triples = np.stack([placed.view_rows, nearest.answers, nearest.rows], axis=1)
    return _worst(report, readout, margins, triples, placed.view_codes, most, int((nearest.answers >= 0).sum()))


def worst_pairs(report: EvalReport, readout: str, *, most: int) -> Failures:
    """Return the margins against distractors on the same background that were lost by the most.

    Args:
        report: what was found.
        readout: whose failures.
        most: strips, one an identity.
    """
    found = report.readouts[readout].pairs.margins
    present = ~np.isnan(found.margins)
    codes = np.broadcast_to(found.samples[:, None], found.margins.shape)[present]
    triples = found.triples[present].reshape(-1, 3)
    return _worst(report, readout, found.margins[present], triples, codes, most, int(present.sum()))


def _worst(
    report: EvalReport,
    readout: str,
    margins: NDArray[np.float64],
    triples: NDArray[np.int64],
    codes: NDArray[np.int64],
    most: int,
    n_asked: int,
) -> Failures:
    lost = np.flatnonzero(margins <= 0)  # a tie loses
    worst_first = lost[np.argsort(margins[lost], kind="stable")]
    _, firsts = np.unique(codes[worst_first], return_index=True)
    chosen = worst_first[np.sort(firsts)][:most]
    shelf = _Shelf(report.embedded)
    strips = tuple(shelf.strip(report, readout, tuple(triple)) for triple in triples[chosen].tolist())
    return Failures(readout, strips, len(lost), n_asked, len(firsts))


class _Shelf:
    """Pictures of rows, each read once."""

    def __init__(self, embedded: EmbeddedSplit) -> None:
        self._embedded = embedded
        self._shown: dict[int, ShownPicture] = {}

    def strip(self, report: EvalReport, readout: str, triple: tuple[int, int, int]) -> Strip:
        rows = np.array(triple, np.int64)
        scores = {name: self._scores(name, rows) for name in report.readouts}
        asked, right, winner = (self._picture(row) for row in triple)
        return Strip(
            identity=asked.identity,
            asked=asked,
            right=right,
            winner=winner,
            right_score=scores[readout][0],
            winner_score=scores[readout][1],
            margins={name: one - other for name, (one, other) in scores.items()},
        )

    def _scores(self, readout: str, rows: NDArray[np.int64]) -> tuple[float, float]:
        embeddings = self._embedded.embeddings[readout]
        one, other = row_scores(embeddings[rows[[0, 0]]], embeddings[rows[1:]]).astype(np.float64)
        return float(one), float(other)

    def _picture(self, row: int) -> ShownPicture:
        if row not in self._shown:
            self._shown[row] = self._read(row)
        return self._shown[row]

    def _read(self, row: int) -> ShownPicture:
        identity, kind = self._kinds.get(row, ("", "filler"))
        image = self._embedded.pictures[row].image
        try:
            pixels = decode_image(image.read_bytes(), name=image.name, min_side=2 * _SIDE).pixels
        except UnreadableImageError as error:  # it could be read when it was judged; the report says so
            return ShownPicture(identity, kind, "", f"can no longer be read: {error.reason}")
        jpeg = encode_thumbnail(pixels, side=_SIDE)
        return ShownPicture(identity, kind, "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii"))

    @cached_property
    def _kinds(self) -> dict[int, tuple[str, str]]:
        """Identity and kind of each row: a view before a distractor, the first distractor before others."""
        placed = self._embedded.placed
        places = [
            (sample.identity, view, rows)
            for sample, row in zip(placed.samples, placed.rows, strict=True)
            for view, rows in zip(sample.views, row.views, strict=True)
        ]
        kinds = {rows.view: (identity, f"view {view.number}") for identity, view, rows in places}
        for identity, view, rows in places:
            for source, row in sorted(rows.distractors.items()):
                kinds.setdefault(row, (identity, f"distractor ({source}) of view {view.number}"))
        return kinds
