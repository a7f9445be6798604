"""What ``calibrate`` fits on a gallery: two probabilities, the threshold of a match, and what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError

CALIBRATION_FORMAT = 1
EVIDENCE = ("score", "margin", "agreement")
"""What an answer is judged by: the best score, its lead over the runner-up identity, and the share of the best
identity's views that score above every view of the runner-up."""

Evidence = NDArray[np.float64]
"""(N, 3) float64, one column for each of ``EVIDENCE``; the margin is NaN where there is no runner-up."""


@dataclass(frozen=True)
class LogisticModel:
    """A probability that never falls when what it is judged by rises.

    ``P = 1 / (1 + exp(-(intercept + sum_i weight_i * (x_i - mean_i) / scale_i)))``.

    Attributes:
        intercept: log odds at the means.
        weights: of each input, at least 0, by its name in ``EVIDENCE``; an input that is not named plays no part.
        means: by input.
        scales: by input, above 0.
    """

    intercept: float
    weights: Mapping[str, float] = field(default_factory=dict)
    means: Mapping[str, float] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not set(self.weights) == set(self.means) == set(self.scales) <= set(EVIDENCE):
            raise ValueError(f"inputs must be of {', '.join(EVIDENCE)}, the same for each, got {sorted(self.weights)}")
        numbers = [self.intercept, *self.weights.values(), *self.means.values(), *self.scales.values()]
        if not np.isfinite(numbers).all():
            raise ValueError("weights, means and scales must be finite")
        if min(self.weights.values(), default=0) < 0 or min(self.scales.values(), default=1) <= 0:
            raise ValueError("weights must be at least 0 and scales above 0")

    def probabilities(self, evidence: Evidence) -> NDArray[np.float64]:
        """Return the probability of each row of evidence, (N,) float64 in [0, 1].

        Raises:
            ShapeError: if ``evidence`` is not (N, 3).
        """
        if evidence.ndim != 2 or evidence.shape[1] != len(EVIDENCE):
            raise ShapeError(f"evidence must be (N, {len(EVIDENCE)}), got {evidence.shape}")
        log_odds = np.full(len(evidence), self.intercept)
        for name, weight in self.weights.items():
            log_odds += weight * (evidence[:, EVIDENCE.index(name)] - self.means[name]) / self.scales[name]
        probabilities: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * log_odds))  # does not overflow
        return probabilities


@dataclass(frozen=True, kw_only=True)
class VerdictModel:
    """How likely an answer is right, as the product of two questions.

    Both are for a world in which half of what is asked about is in the gallery.

    Attributes:
        enrolled: that what was asked about is in the gallery at all.
        enrolled_alone: the same where one identity was searched, so that there is no margin.
        right: that the best identity is the right one if it is in the gallery; with one identity searched that is sure.
        threshold: confidence from which an answer is a match, at least 0.5; above 1 nothing is.
    """

    enrolled: LogisticModel
    enrolled_alone: LogisticModel
    right: LogisticModel
    threshold: float

    def judge(self, evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return, for each answer, the probability that the thing is enrolled and that the best identity is right.

        Args:
            evidence: (N, 3) float64.

        Returns:
            Two (N,) float64 in [0, 1]; the second, the confidence, is never above the first.

        Raises:
            ShapeError: if ``evidence`` is not (N, 3).
        """
        enrolled = self.enrolled.probabilities(evidence)
        alone = np.isnan(evidence[:, EVIDENCE.index("margin")])
        enrolled = np.where(alone, self.enrolled_alone.probabilities(evidence), enrolled)
        return enrolled, enrolled * np.where(alone, 1.0, self.right.probabilities(evidence))


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A gallery's verdict model, and how well it did on identities left out of its fit and its threshold.

    Attributes:
        model: what judges an answer.
        fpir: false-positive identification rate asked for: share of strangers called a match.
        claimed: whether there were strangers enough to show such a rate: three or more would be expected at it.
        figures: ``fnir``, ``fpir``, ``false_match`` and ``ece``, each with value, 95 % interval, n and identities.
        verdicts: shares of the verdicts, of known things and of strangers.
        known: views asked without themselves.
        strangers: views asked without their whole identity; marked distractors among them.
        distractors: how many of these were marked.
        asked_identities: identities that these views show.
        folds: parts in which the identities were left out of fit and threshold, in turn.
        queries: most views of each kind that were to be asked.
        seed: of sample, folds and intervals.
        encoder: fingerprint of the gallery's encoder.
        tables: folder of the gallery's tables.
        lance_version: version of the images table.
        images: images in the gallery.
        identities: identities in the gallery.
        sample: identity of a few images by key, to notice later that they are gone or called otherwise.
        created_at: ISO 8601 time in UTC.
        made_by: version of this library.
        format_version: layout of the file.
    """

    model: VerdictModel
    fpir: float
    claimed: bool
    figures: Mapping[str, Mapping[str, Any]]
    verdicts: Mapping[str, Mapping[str, float]]
    known: int
    strangers: int
    distractors: int
    asked_identities: int
    folds: int
    queries: int
    seed: int
    encoder: str
    tables: str
    lance_version: int
    images: int
    identities: int
    sample: Mapping[str, str]
    created_at: str
    made_by: str
    format_version: int = CALIBRATION_FORMAT

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Calibration:
        """Return what ``dataclasses.asdict`` and JSON made of a calibration.

        Raises:
            ValueError: if the document is another; the message goes on from the file's name.
        """
        if document.get("format_version") != CALIBRATION_FORMAT:
            found = document.get("format_version")
            raise ValueError(f"has format {found}, this version reads format {CALIBRATION_FORMAT}")
        if set(document) != {each.name for each in fields(cls)}:
            raise ValueError("describes no calibration that this version knows")
        try:
            parts = dict(document["model"])
            threshold = float(parts.pop("threshold"))
            model = VerdictModel(threshold=threshold, **{name: LogisticModel(**part) for name, part in parts.items()})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"describes no calibration that this version knows ({error})") from error
        return cls(**{**document, "model": model})
