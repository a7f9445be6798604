"""Calibrations made by hand."""

from nearid_search.calibration import Calibration, LogisticModel, VerdictModel


def make_model(threshold: float = 0.9) -> VerdictModel:
    """A model that is even at score .5 and margin .1, and sure of both one tenth above."""
    score = {"score": 5.0}, {"score": 0.5}, {"score": 0.1}
    margin = {"margin": 5.0}, {"margin": 0.1}, {"margin": 0.1}
    return VerdictModel(
        enrolled=LogisticModel(0.0, *score),
        enrolled_alone=LogisticModel(-1.0, *score),
        right=LogisticModel(0.0, *margin),
        threshold=threshold,
    )


def make_calibration(
    encoder: str = "generated", images: int = 10, identities: int = 5, sample: dict[str, str] | None = None
) -> Calibration:
    """A calibration of a gallery that may not exist."""
    figure = {"value": 0.1, "low": 0.05, "high": 0.2, "n": 10, "n_clusters": 5}
    return Calibration(
        model=make_model(),
        fpir=0.01,
        claimed=False,
        figures={name: dict(figure) for name in ("fnir", "fpir", "false_match", "ece")},
        verdicts={group: {"match": 0.5, "ambiguous": 0.2, "unknown": 0.3} for group in ("known", "strangers")},
        known=10,
        strangers=10,
        distractors=0,
        asked_identities=5,
        folds=5,
        queries=2_000,
        seed=0,
        encoder=encoder,
        tables="tables",
        lance_version=2,
        images=images,
        identities=identities,
        sample=sample or {},
        created_at="2026-01-02T03:04:05+00:00",
        made_by="0.1.0",
    )
