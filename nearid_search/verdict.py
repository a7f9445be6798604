"""From ranked identities to one of three words and a probability.

Until a gallery is calibrated the rule is provisional: two fixed thresholds, not fitted on any gallery, and every answer
says ``calibrated: false``. Embeddings can score strangers high, so a provisional ``match`` means "clearly nearest", not
"probably the same".

A calibrated gallery answers two questions (``calibration.VerdictModel``). How likely is the thing in the gallery at
all? And how likely is the best identity the right one? The second is the confidence. A ``match`` has at least the
confidence that keeps strangers to the asked rate; below it an answer is ``unknown`` if the thing is more likely not in
the gallery, and else ``ambiguous``: it is probably there, but that it is the best one is not certain enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nearid_search.calibration import EVIDENCE, Evidence, VerdictModel
from nearid_search.ranking import RankedIdentity
from nearid_search.records import Verdict

PROVISIONAL_MIN_SCORE = 0.5
PROVISIONAL_MIN_MARGIN = 0.02
EVEN_ODDS = 0.5
"""Below it a thing is more likely not in the gallery; no match has less confidence."""


class Judgement(NamedTuple):
    """What is made of one answer.

    Attributes:
        verdict: the word.
        confidence: probability that the best identity is right; None without a calibration that still holds.
    """

    verdict: Verdict
    confidence: float | None


class Judge(NamedTuple):
    """How answers of a gallery are judged.

    Attributes:
        model: fitted on the gallery; None if it was never calibrated.
        current: whether it still is what it was fitted on; if not, its verdicts stand, and no probability is given.
    """

    model: VerdictModel | None = None
    current: bool = False

    @property
    def calibrated(self) -> bool:
        """Whether verdict and confidence were fitted on the gallery as it is."""
        return self.model is not None and self.current

    def judge(self, answers: Sequence[list[RankedIdentity]], num_views: Sequence[int]) -> list[Judgement]:
        """Judge answers; one without any identity is "unknown".

        Args:
            answers: as in ``evidence_of``, or empty where nothing was found.
            num_views: how many views of each answer's best identity were searched; what stands for no identity is
                not looked at.
        """
        found = [place for place, ranked in enumerate(answers) if ranked]
        judgements = [Judgement("unknown", None)] * len(answers)
        evidence = evidence_of([answers[place] for place in found], [num_views[place] for place in found])
        for place, judgement in zip(found, self._judge(evidence), strict=True):
            judgements[place] = judgement
        return judgements

    def _judge(self, evidence: Evidence) -> list[Judgement]:
        if self.model is None:
            return [
                Judgement(provisional_verdict(score, None if margin != margin else margin), None)  # NaN is not itself
                for score, margin, _ in evidence.tolist()
            ]
        threshold = self.model.threshold
        return [
            Judgement(verdict_of(enrolled, right, threshold), right if self.current else None)
            for enrolled, right in zip(*(each.tolist() for each in self.model.judge(evidence)), strict=True)
        ]


def evidence_of(answers: Sequence[list[RankedIdentity]], num_views: Sequence[int]) -> Evidence:
    """Return what answers are judged by.

    Args:
        answers: of each query at least the first two identities, if there are two; at least one.
        num_views: how many views of each answer's best identity were searched, at least 1.

    Returns:
        (N, 3) float64; see ``calibration.EVIDENCE``.

    Example:
        >>> best = RankedIdentity(1, np.array([4, 6]), np.float32([0.75, 0.5]))
        >>> other = RankedIdentity(0, np.array([2]), np.float32([0.25]))
        >>> evidence_of([[best, other]], [4]).tolist()
        [[0.75, 0.5, 0.5]]
    """
    evidence = np.full((len(answers), len(EVIDENCE)), np.nan)
    for row, ranked, views in zip(evidence, answers, num_views, strict=True):
        row[0] = ranked[0].scores[0]
        if len(ranked) > 1:
            # Re-ranking may have put the best score elsewhere.
            row[1] = row[0] - max(float(other.scores[0]) for other in ranked[1:])
        row[2] = len(ranked[0].rows) / views
    return evidence


def verdict_of(enrolled: float, confidence: float, threshold: float) -> Verdict:
    """Return the verdict that two probabilities give.

    Args:
        enrolled: that the thing is in the gallery.
        confidence: that the best identity is right; at most ``enrolled``.
        threshold: confidence from which an answer is a match.

    Example:
        >>> verdict_of(0.99, 0.98, 0.9), verdict_of(0.99, 0.6, 0.9), verdict_of(0.3, 0.29, 0.9)
        ('match', 'ambiguous', 'unknown')
    """
    if confidence >= max(threshold, EVEN_ODDS):
        return "match"
    return "ambiguous" if enrolled >= EVEN_ODDS else "unknown"


def provisional_verdict(score: float | None, margin: float | None) -> Verdict:
    """Judge an answer by fixed thresholds.

    Args:
        score: best score in [-1, 1]; None if nothing was found.
        margin: lead over the runner-up identity, at least 0; None if there is none.

    Returns:
        "unknown" below the score threshold, "ambiguous" below the margin threshold, else "match".

    Example:
        >>> provisional_verdict(0.9, 0.1), provisional_verdict(0.9, 0.001), provisional_verdict(0.2, None)
        ('match', 'ambiguous', 'unknown')
    """
    if score is None or score < PROVISIONAL_MIN_SCORE:
        return "unknown"
    if margin is not None and margin < PROVISIONAL_MIN_MARGIN:
        return "ambiguous"
    return "match"
