"""Figures of merit, in NumPy alone; every definition is stated where it is computed."""

from nearid_search.eval.metrics.calibration import (
    ReliabilityCurve,
    expected_calibration_error,
    reliability_curve,
)
from nearid_search.eval.metrics.correlation import fisher_mean, pearson
from nearid_search.eval.metrics.margins import MarginScores, score_margins
from nearid_search.eval.metrics.open_set import (
    DetCurve,
    OperatingPoint,
    RocCurve,
    allowed_impostors,
    det_curve,
    dir_at_far,
    fnir_at_fpir,
    roc_curve,
    tar_at_far,
    unresolved,
)
from nearid_search.eval.metrics.part_level import PartLevelScores, metric_to_oracle
from nearid_search.eval.metrics.ranked import (
    QueryMean,
    RelevantRanks,
    average_precision,
    inverse_negative_penalty,
    mean_over_queries,
    r_precision,
    recall_at_k,
)

__all__ = [
    "DetCurve",
    "MarginScores",
    "OperatingPoint",
    "PartLevelScores",
    "QueryMean",
    "RelevantRanks",
    "ReliabilityCurve",
    "RocCurve",
    "allowed_impostors",
    "average_precision",
    "det_curve",
    "dir_at_far",
    "expected_calibration_error",
    "fisher_mean",
    "fnir_at_fpir",
    "inverse_negative_penalty",
    "mean_over_queries",
    "metric_to_oracle",
    "pearson",
    "r_precision",
    "recall_at_k",
    "reliability_curve",
    "roc_curve",
    "score_margins",
    "tar_at_far",
    "unresolved",
]
