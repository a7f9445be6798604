"""Part-level similarity: does a score fall as more of a thing is repainted?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.eval.metrics.correlation import fisher_mean, pearson


@dataclass(frozen=True, kw_only=True)
class PartLevelScores:
    """How well scores follow the share of a thing that is unchanged.

    Attributes:
        m_o: metric-to-oracle: Fisher-z mean of the four correlations.
        m_o_pair: Fisher-z mean of the first two, within a view.
        correlations: Pearson r of s(1,1') with o1, s(2,2') with o2, s(1,2') with o2 and s(2,1') with o1.
        n_samples: samples counted.
        n_dropped: samples with a missing score or oracle, counted nowhere else.
    """

    m_o: float
    m_o_pair: float
    correlations: tuple[float, float, float, float]
    n_samples: int
    n_dropped: int


def metric_to_oracle(
    within: NDArray[np.floating], across: NDArray[np.floating], oracle: NDArray[np.floating]
) -> PartLevelScores:
    """Correlate scores with oracle similarity over samples of two views, 1 and 2, and their repainted twins, 1' and 2'.

    Each correlation is clipped to ±0.9999 before the mean (arXiv 2604.01973). A sample with a NaN anywhere is dropped
    from all four correlations, so that they are about the same things, and counted. A correlation is NaN for fewer than
    two samples or where scores or oracle do not vary, and so is then every mean it enters.

    Args:
        within: (S, 2) float: s(1,1') and s(2,2').
        across: (S, 2) float: s(1,2') and s(2,1').
        oracle: (S, 2) float: o1 and o2, each ``1 - |part mask| / |object mask|``.

    Returns:
        The scores.

    Raises:
        ShapeError: if an array is not (S, 2) float or holds infinity.
    """
    for name, array in (("within", within), ("across", across), ("oracle", oracle)):
        if array.shape != (len(oracle), 2) or not np.issubdtype(array.dtype, np.floating):
            raise ShapeError(f"{name} must be ({len(oracle)}, 2) float, got {array.shape} {array.dtype}")
    kept = np.asarray(~np.isnan(np.hstack([within, across, oracle])).any(axis=1))
    first, second = oracle[kept].T
    correlations = (
        pearson(within[kept, 0], first),
        pearson(within[kept, 1], second),
        pearson(across[kept, 0], second),
        pearson(across[kept, 1], first),
    )
    return PartLevelScores(
        m_o=fisher_mean(correlations),
        m_o_pair=fisher_mean(correlations[:2]),
        correlations=correlations,
        n_samples=int(kept.sum()),
        n_dropped=int((~kept).sum()),
    )
