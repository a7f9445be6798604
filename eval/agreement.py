"""M-H: how well a score of identity preservation agrees with people (arXiv 2604.01973, section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import DatasetError
from nearid_search.eval.intervals import Interval, bootstrap_statistic
from nearid_search.eval.metrics import fisher_mean, pearson
from nearid_search.eval.ratings import Ratings, Values, subject_of

MIN_PROMPTS = 3
_DECIMALS = 4  # of each correlation, as in the published figures


@dataclass(frozen=True)
class Missing:
    """A prompt that counts nowhere because not everybody judged it.

    Attributes:
        method: generation method.
        prompt: its key.
        absent: rater groups and scorer without a value for it.
    """

    method: str
    prompt: str
    absent: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What people and one scorer agree on.

    Attributes:
        m_h: Fisher-z mean over methods, in [-1, 1]; its interval resamples subjects, each with all its prompts and
            methods. ``m_h.n`` counts pairs of method and prompt.
        methods: mean over the groups of Pearson's r between scores and ratings, by method; the intervals resample
            subjects and count prompts.
        per_group: method to group to Pearson's r over prompts, rounded to 4 decimals.
        missing: prompts left out.
        missing_methods: methods that people rated and the scorer did not score; counted nowhere.
        unrated_methods: methods that the scorer scored and people did not rate; counted nowhere.
    """

    m_h: Interval
    methods: Mapping[str, Interval]
    per_group: Mapping[str, Mapping[str, float]]
    missing: tuple[Missing, ...]
    missing_methods: tuple[str, ...]
    unrated_methods: tuple[str, ...]

    @property
    def per_method(self) -> dict[str, float]:
        """The figure of each method."""
        return {method: each.value for method, each in self.methods.items()}

    @property
    def n_per_method(self) -> dict[str, int]:
        """Prompts counted of each method."""
        return {method: each.n for method, each in self.methods.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return one scorer's part of ``agreement --json``; without interval its ends are null."""
        interval = self.m_h.as_dict()
        return {
            "m_h": interval.pop("value"),
            **interval,
            "per_method": self.per_method,
            "per_method_intervals": {method: each.as_dict() for method, each in self.methods.items()},
            "per_group": {method: dict(groups) for method, groups in self.per_group.items()},
            "n_per_method": self.n_per_method,
            "n_missing": len(self.missing),
            "missing": [
                {"method": entry.method, "prompt": entry.prompt, "absent": list(entry.absent)} for entry in self.missing
            ],
            "missing_methods": list(self.missing_methods),
            "unrated_methods": list(self.unrated_methods),
        }


@dataclass(frozen=True)
class _Judged:
    """Every pair of method and prompt that all groups rated and the scorer scored, one row each.

    Attributes:
        methods: their names.
        codes: (N,) the method of each row, as a place in ``methods``.
        subjects: (N,) what each row's prompt asks for.
        scores: (N,) the scorer's.
        ratings: group to (N,) ratings.
    """

    methods: tuple[str, ...]
    codes: NDArray[np.int64]
    subjects: NDArray[np.str_]
    scores: NDArray[np.float64]
    ratings: Mapping[str, NDArray[np.float64]]

    def correlations(self, rows: NDArray[np.int64]) -> dict[str, dict[str, float]]:
        """Return method to group to rounded r over the rows given; NaN where either side is constant."""
        codes = self.codes[rows]
        return {method: self._by_group(rows[codes == code]) for code, method in enumerate(self.methods)}

    def m_h(self, rows: NDArray[np.int64]) -> float:
        """Return the figure over the rows given; NaN if a correlation is."""
        means = np.array([_mean(groups) for groups in self.correlations(rows).values()])
        return float("nan") if np.isnan(means).any() else fisher_mean(means)

    def means(self) -> dict[str, Interval]:
        """Return the mean over groups of each method's correlations."""
        found = {}
        for code, method in enumerate(self.methods):
            own = np.flatnonzero(self.codes == code)
            found[method] = bootstrap_statistic(partial(self._mean_of, own), self.subjects[own])
        return found

    def _mean_of(self, own: NDArray[np.int64], drawn: NDArray[np.int64]) -> float:
        return _mean(self._by_group(own[drawn]))

    def _by_group(self, rows: NDArray[np.int64]) -> dict[str, float]:
        return {
            group: round(pearson(self.scores[rows], values[rows]), _DECIMALS) for group, values in self.ratings.items()
        }


def human_agreement(ratings: Ratings) -> dict[str, Agreement]:
    """Return how well each scorer agrees with the raters.

    For each method and rater group Pearson's r between scores and ratings over prompts, rounded to 4 decimals; the mean
    over groups; then over methods the tanh of the mean atanh, r clipped to +-0.9999. A prompt that a group or the
    scorer lacks is left out of that method for all of them, and listed.

    Args:
        ratings: of one category.

    Returns:
        Scorer to agreement.

    Raises:
        DatasetError: if a scorer scored no rated method, fewer than 3 prompts of a method are left, or all scores or
            ratings of a method are the same, which leaves r undefined.
    """
    return {scorer: _agreement(scorer, scores, ratings) for scorer, scores in ratings.scorers.items()}


def _agreement(scorer: str, scores: Mapping[str, Values], ratings: Ratings) -> Agreement:
    rated = sorted(next(iter(ratings.groups.values())))
    methods = [method for method in rated if method in scores]
    if not methods:
        raise DatasetError(
            f"{scorer} scores none of the methods that people rated: it has {', '.join(sorted(scores))}, "
            f"and they have {', '.join(rated)}"
        )
    sides = {method: {group: values[method] for group, values in ratings.groups.items()} for method in methods}
    prompts: dict[str, list[str]] = {}
    missing: list[Missing] = []
    for method in methods:
        prompts[method], absent = _common_prompts(method, {**sides[method], scorer: scores[method]})
        missing += absent
        _check(scorer, method, prompts[method], sides[method] | {scorer: scores[method]}, ratings.category)
    judged = _judged(prompts, scores, ratings)
    return Agreement(
        m_h=bootstrap_statistic(judged.m_h, judged.subjects),
        methods=judged.means(),
        per_group=judged.correlations(np.arange(len(judged.scores))),
        missing=tuple(missing),
        missing_methods=tuple(method for method in rated if method not in scores),
        unrated_methods=tuple(method for method in sorted(scores) if method not in rated),
    )


def _common_prompts(method: str, sides: Mapping[str, Values]) -> tuple[list[str], list[Missing]]:
    """Return the prompts that every side has a value for, and those that some lack."""
    common, missing = [], []
    for prompt in sorted(set().union(*sides.values())):
        absent = tuple(name for name, values in sides.items() if prompt not in values)
        if absent:
            missing.append(Missing(method, prompt, absent))
        else:
            common.append(prompt)
    return common, missing


def _check(scorer: str, method: str, prompts: list[str], sides: Mapping[str, Values], category: str) -> None:
    if len(prompts) < MIN_PROMPTS:
        counts = ", ".join(f"{name} {len(values)}" for name, values in sides.items())
        raise DatasetError(
            f"{method}: {len(prompts)} prompts of category {category!r} have both groups' ratings and a score of "
            f"{scorer} ({counts}), and {MIN_PROMPTS} are needed: complete them or take the method out"
        )
    for name, values in sides.items():
        if len({values[prompt] for prompt in prompts}) == 1:
            raise DatasetError(
                f"{method}: {name} gives {values[prompts[0]]:g} to all {len(prompts)} prompts of category {category!r} "
                "that count, so a correlation is not defined: take the method out"
            )


def _judged(prompts: Mapping[str, list[str]], scores: Mapping[str, Values], ratings: Ratings) -> _Judged:
    rows = [(method, prompt) for method, chosen in prompts.items() for prompt in chosen]
    return _Judged(
        methods=tuple(prompts),
        codes=np.repeat(np.arange(len(prompts)), [len(chosen) for chosen in prompts.values()]),
        subjects=np.array([subject_of(prompt) for _, prompt in rows]),
        scores=np.array([scores[method][prompt] for method, prompt in rows]),
        ratings={
            group: np.array([values[method][prompt] for method, prompt in rows])
            for group, values in ratings.groups.items()
        },
    )


def _mean(groups: Mapping[str, float]) -> float:
    return sum(groups.values()) / len(groups)
