"""Do verdicts keep what calibration promised, and is a confidence of 0.9 right nine times in ten?

Reads one split that `render_identities.py` made. Its identities are halved. Each half in turn is a gallery: every view
of an identity is the query once, the others are enrolled. The views of the other half are strangers, and so are the
distractors of the enrolled: pictures of another thing that stands where the enrolled one stood.

* `own`: the gallery is calibrated on itself and asked about pictures it has not seen.
* `other half`: judged by the calibration of the other gallery, none of whose identities it holds.

Prints and writes `results/verdicts.json`; intervals resample identities.

    python benchmarks/verdicts.py identities/test
    python benchmarks/verdicts.py identities/test --identities 40 --cache embeddings.npz
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from encoded_identities import EncodedIdentities, encode_identities
from numpy.typing import NDArray
from record import load_average, write_result

from nearid_search.calibration import Calibration
from nearid_search.config import CalibrateConfig
from nearid_search.engine import SearchEngine
from nearid_search.eval.calibrate import calibrate_gallery
from nearid_search.eval.intervals import bootstrap_interval, bootstrap_statistic
from nearid_search.eval.metrics import expected_calibration_error, fnir_at_fpir, reliability_curve
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.gallery import Gallery
from nearid_search.records import QueryAnswer
from nearid_search.verdict import Judge

KNOWN, STRANGER = "known", "stranger"
_RESAMPLES = 1_000


class Asked(NamedTuple):
    """Answers and what they should have been; all (N,).

    Attributes:
        kinds: "known", "stranger" or the source of a distractor of an enrolled identity.
        identities: of the picture; of a distractor, of the thing it looks like.
        right: whether the best identity is the picture's.
        scores: float64 best score.
        confidence: float64.
        verdicts: the words.
    """

    kinds: NDArray[np.str_]
    identities: NDArray[np.str_]
    right: NDArray[np.bool_]
    scores: NDArray[np.float64]
    confidence: NDArray[np.float64]
    verdicts: NDArray[np.str_]


def main() -> None:
    """Encode, calibrate, ask and write what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="one split of a rendered set")
    parser.add_argument("--identities", type=int, help="take so many, chosen by the seed")
    parser.add_argument("--fpir", type=float, default=CalibrateConfig.fpir)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="keep the embeddings in this .npz file")
    parser.add_argument("--name", default="verdicts", help="of the result")
    arguments = parser.parse_args()
    before = load_average()
    encoded = encode_identities(
        arguments.folder, most=arguments.identities, seed=arguments.seed, cache=arguments.cache, on_picture=_show
    )
    found = judge_split(encoded, fpir=arguments.fpir, seed=arguments.seed)
    write_result(arguments.name, found, load_before=before)


def judge_split(encoded: EncodedIdentities, *, fpir: float, seed: int) -> dict[str, Any]:
    """Calibrate on each half and ask, once with every view held out.

    Args:
        encoded: the pictures.
        fpir: share of strangers that may be called a match.
        seed: of the halves, the calibrations and the intervals.

    Returns:
        JSON-ready figures by setting.
    """
    names = np.unique(encoded.identities)
    mixed = np.random.default_rng(seed).permutation(names)
    halves = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
    views = np.unique(encoded.views[encoded.positive])
    asked: dict[str, list[Asked]] = {"own": [], "other half": [], "provisional": []}
    promised = []
    for view in views.tolist():
        with tempfile.TemporaryDirectory() as folder:
            galleries = [_enrol(encoded, half, view, Path(folder) / str(n)) for n, half in enumerate(halves)]
            fitted = [calibrate_gallery(each, CalibrateConfig(fpir=fpir, seed=seed)).calibration for each in galleries]
            promised += [dict(calibration.figures["fnir"]) for calibration in fitted]
            for number, gallery in enumerate(galleries):
                ask = _Questions(encoded, halves[number], view)
                asked["own"].append(ask.ask(gallery, fitted[number]))
                asked["other half"].append(ask.ask(gallery, fitted[1 - number]))
                asked["provisional"].append(ask.ask(gallery, None))
    joined = {
        setting: Asked(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        for setting, parts in asked.items()
    }
    return {
        "identities": len(names),
        "pictures": len(encoded.embeddings),
        "views_enrolled": len(views) - 1,
        "encoder": encoded.fingerprint,
        "fpir": fpir,
        "seed": seed,
        "promised_fnir": promised,
        **{setting: figures_of(each, fpir=fpir, seed=seed) for setting, each in joined.items()},
    }


def figures_of(asked: Asked, *, fpir: float, seed: int) -> dict[str, Any]:
    """Return how often each verdict was given and was right; with a confidence, how true that is."""
    known, stranger = asked.kinds == KNOWN, asked.kinds == STRANGER
    match = asked.verdicts == "match"

    def share(values: NDArray[np.bool_], of: NDArray[np.bool_]) -> dict[str, Any]:
        return bootstrap_interval(
            values[of].astype(np.float64), asked.identities[of], resamples=_RESAMPLES, seed=seed
        ).as_dict()

    def fnir(by: NDArray[np.float64]) -> dict[str, Any]:
        def at(rows: NDArray[np.int64]) -> float:
            own, other = rows[known[rows]], rows[stranger[rows]]
            return fnir_at_fpir(by[own], asked.right[own], by[other], fpir).value

        return _statistic(at, asked.identities, known | stranger, seed)

    figures: dict[str, Any] = {
        "fnir": share(~(match & asked.right), known),
        "false_match": share(match & ~asked.right, known),
        "rank1": share(asked.right, known),
        "match_by_kind": {kind: share(match, asked.kinds == kind) for kind in np.unique(asked.kinds).tolist()},
        "verdicts": {
            kind: {
                word: float((asked.verdicts[asked.kinds == kind] == word).mean()) for word in np.unique(asked.verdicts)
            }
            for kind in np.unique(asked.kinds).tolist()
        },
        "fnir_at_fpir_by_score": fnir(asked.scores),
    }
    if not np.isnan(asked.confidence).any():
        figures["fnir_at_fpir_by_confidence"] = fnir(asked.confidence)
        figures["ece"], figures["reliability"] = _calibration(asked, known, stranger, seed)
    return figures


def _calibration(
    asked: Asked, known: NDArray[np.bool_], stranger: NDArray[np.bool_], seed: int
) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Return ECE and curve over as many known things as strangers."""
    count = min(int(known.sum()), int(stranger.sum()))
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.choice(np.flatnonzero(each), count, replace=False) for each in (known, stranger)])
    chosen = np.zeros(len(known), bool)
    chosen[rows] = True
    ece = _statistic(
        lambda rows: expected_calibration_error(asked.confidence[rows], asked.right[rows]),
        asked.identities,
        chosen,
        seed,
    )
    curve = reliability_curve(asked.confidence[chosen], asked.right[chosen], bins=10)
    columns = zip(curve.mean_probability.tolist(), curve.share_true.tolist(), curve.counts.tolist(), strict=True)
    return ece, [{"confidence": mean, "right": true, "n": count} for mean, true, count in columns]


def _statistic(statistic: Any, identities: NDArray[np.str_], of: NDArray[np.bool_], seed: int) -> dict[str, Any]:  # noqa: ANN401
    rows = np.flatnonzero(of)
    return bootstrap_statistic(
        lambda drawn: statistic(rows[drawn]), identities[of], resamples=_RESAMPLES, seed=seed
    ).as_dict()


def _enrol(encoded: EncodedIdentities, half: NDArray[np.str_], view: str, folder: Path) -> Gallery:
    kept = encoded.of(encoded.positive & np.isin(encoded.identities, half) & (encoded.views != view))
    table = pa.table(
        {
            "identity": kept.identities.tolist(),
            "path": [f"{name}/{each}" for name, each in zip(kept.identities, kept.views, strict=True)],
            "embedding": pa.FixedSizeListArray.from_arrays(
                pa.array(kept.embeddings.reshape(-1)), kept.embeddings.shape[1]
            ),
        }
    )
    file = folder.with_suffix(".parquet")
    pq.write_table(table, file)
    import_embeddings(file, gallery=folder, encoder=encoded.fingerprint)
    return Gallery.open(folder)


class _Questions:
    """What a gallery is asked: the held-out view of its own, of others, and what looks like its own."""

    def __init__(self, encoded: EncodedIdentities, half: NDArray[np.str_], view: str) -> None:
        asked = encoded.views == view
        enrolled = np.isin(encoded.identities, half)
        self.pictures = encoded.of(asked & (encoded.positive | enrolled))
        own = np.isin(self.pictures.identities, half)
        positive = self.pictures.positive
        self.kinds = np.where(positive, np.where(own, KNOWN, STRANGER), self.pictures.sources)

    def ask(self, gallery: Gallery, calibration: Calibration | None) -> Asked:
        engine = SearchEngine(gallery, None)
        engine.judge = Judge(None if calibration is None else calibration.model, current=calibration is not None)
        labels = self.pictures.identities.tolist()
        answers: Sequence[QueryAnswer] = list(engine.answer_many(self.pictures.embeddings, labels=labels, k=1))
        best = np.array([answer.matches[0].identity for answer in answers])
        confidence = [np.nan if answer.confidence is None else answer.confidence for answer in answers]
        return Asked(
            kinds=self.kinds,
            identities=self.pictures.identities,
            right=(best == self.pictures.identities) & (self.kinds == KNOWN),
            scores=np.array([answer.matches[0].score for answer in answers]),
            confidence=np.array(confidence),
            verdicts=np.array([answer.verdict for answer in answers]),
        )


def _show(done: int, total: int) -> None:
    print(f"\rencoding {done}/{total}", end="" if done < total else "\n", file=sys.stderr)


if __name__ == "__main__":
    main()
