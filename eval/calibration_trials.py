"""A gallery asked about itself: views of things it knows, and the same views as strangers.

A known thing is a view asked without itself. A stranger is a view asked without its whole identity: what answers is its
nearest other identity, which in a gallery of look-alikes is a look-alike. Images that the gallery's metadata mark as
distractors are strangers only.

Without its own view, the identity of a known thing has one fewer than the others. What is fitted on that learns to tell
known things by their number of views. So for the fit every identity that has two or more loses one: known things and
strangers then meet the same gallery. Strangers are asked of the whole gallery too, as they will be: they set the
threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearid_search.calibration import Evidence
from nearid_search.engine import SearchEngine
from nearid_search.indexer.review.view_sample import choose_views
from nearid_search.ranking import rank_many
from nearid_search.similarity import Rows
from nearid_search.verdict import evidence_of

_AT_ONCE = 256
_ROLE, _DISTRACTOR = "role", "distractor"

OnAsked = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """Searches whose right answer is known; all (N,).

    Attributes:
        evidence: (N, 3) float64, see ``calibration.EVIDENCE``.
        known: whether the thing asked about was in what was searched.
        right: whether the best identity was its own.
        whole: whether every view of the other identities was searched: of strangers that set the threshold. The rest
            is for the fit.
        marked: whether it was marked as a distractor.
        identities: number of the identity that the view belongs to.
    """

    evidence: Evidence
    known: NDArray[np.bool_]
    right: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    identities: NDArray[np.int64]


def ask_gallery(engine: SearchEngine, *, queries: int, seed: int, on_asked: OnAsked | None = None) -> Trials:
    """Ask a gallery about its own views.

    Args:
        engine: the gallery, searched as queries are.
        queries: most views of each kind: known things and strangers.
        seed: of the choice among more views. Every identity has a view asked before any has a second one.
        on_asked: told how many searches are done, of how many.

    Returns:
        The trials. A search that finds nobody, as in a gallery of one identity, is none.
    """
    marked = marked_rows(engine)
    clean = np.bincount(engine.enrolled.codes[~marked], minlength=len(engine.enrolled.num_views))
    own = np.flatnonzero(~marked & (clean[engine.enrolled.codes] > 1))
    rng = np.random.default_rng(seed)
    known = choose_views(own, engine.enrolled.codes, queries, rng)
    strangers = choose_views(np.arange(len(marked)), engine.enrolled.codes, queries, rng)
    spared = np.zeros(len(marked), bool)
    spared[choose_views(own, engine.enrolled.codes, int((clean > 1).sum()), rng)] = True
    asker = _Asker(engine, marked, spared, len(known) + 2 * len(strangers), on_asked)
    found = [
        asker.ask(known, known=True, whole=False),
        asker.ask(strangers, known=False, whole=False),
        asker.ask(strangers, known=False, whole=True),
    ]
    return Trials(**{name: np.concatenate([getattr(part, name) for part in found]) for name in vars(found[0])})


def marked_rows(engine: SearchEngine) -> NDArray[np.bool_]:
    """Return which images the metadata mark as distractors: ``role`` is "distractor", or ``distractor`` is true."""
    fields = {field.name for field in engine.gallery.store.metadata_fields}
    marked = np.zeros(len(engine.enrolled.codes), bool)
    columns = [name for name in (_ROLE, _DISTRACTOR) if name in fields]
    table = engine.gallery.store.image_table(columns)
    for name in columns:
        values = table.column(name).to_pylist()
        marked |= np.asarray([value == _DISTRACTOR if name == _ROLE else value in _TRUE for value in values], bool)
    return marked


_TRUE = (True, "true", "True", "yes")  # 1 equals True


class _Asker:
    """Asks views of a gallery, some hundreds at a time.

    Args:
        engine: the gallery.
        marked: (G,) bool: distractors.
        spared: (G,) bool: one view of every identity that has two or more, to be left out unless all are searched.
        total: searches there will be.
        on_asked: told how many are done.
    """

    def __init__(
        self,
        engine: SearchEngine,
        marked: NDArray[np.bool_],
        spared: NDArray[np.bool_],
        total: int,
        on_asked: OnAsked | None,
    ) -> None:
        self.engine = engine
        self.marked = marked
        self.spared = spared
        self.num_marked, self.num_spared = (
            np.bincount(engine.enrolled.codes[each], minlength=len(engine.enrolled.num_views))
            for each in (marked, spared)
        )
        self.total = total
        self.on_asked = on_asked
        self.done = 0

    def ask(self, rows: Rows, *, known: bool, whole: bool) -> Trials:
        """Ask views without themselves, or without all that shows the same thing."""
        blocks = (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
        parts = [self._block(block, known=known, whole=whole) for block in blocks]
        evidence = np.concatenate([np.empty((0, 3)), *(part[0] for part in parts)])
        best = np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)])
        rows, best = rows[best >= 0], best[best >= 0]
        codes = self.engine.enrolled.codes[rows]
        return Trials(
            evidence=evidence,
            known=np.full(len(rows), known),
            right=(best == codes) & known,
            whole=np.full(len(rows), whole),
            marked=self.marked[rows],
            identities=codes,
        )

    def _block(self, rows: Rows, *, known: bool, whole: bool) -> tuple[Evidence, NDArray[np.int64]]:
        """Return the evidence of every answer, and the identity that each view got; -1 where there was no answer."""
        engine, codes = self.engine, self.engine.enrolled.codes

        def hidden(number: int, found: Rows) -> NDArray[np.bool_]:
            row = rows[number]
            same: NDArray[np.bool_] = codes[found] == codes[row]
            own: NDArray[np.bool_] = found == row if known else same
            if self._imitates(row):
                own = same & self.marked[found]
            return own if whole else own | (self.spared[found] & ~(same & known))

        answers = rank_many(engine.backend, engine.rows.vectors_of(rows), codes, k=1, hidden=hidden)
        best = np.asarray([ranked[0].code if ranked else -1 for ranked in answers], np.int64)
        left_out = 0 if whole else self.num_spared[best]  # as many as a known thing's own identity loses: its own view
        imitated = (best == codes[rows]) & ~np.bool_(known)
        views = engine.enrolled.num_views[best] - left_out - np.where(imitated, self.num_marked[best], 0)
        self.done += len(rows)
        if self.on_asked is not None:
            self.on_asked(self.done, self.total)
        return evidence_of([ranked for ranked in answers if ranked], views[best >= 0].tolist()), best

    def _imitates(self, row: int) -> bool:
        """Whether a marked look-alike stands under the very identity it imitates: then that one may answer."""
        code = self.engine.enrolled.codes[row]
        return bool(self.marked[row] and self.num_marked[code] < self.engine.enrolled.num_views[code])
