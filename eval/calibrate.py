"""Fit the verdict on a gallery, and measure it on identities that were left out of fit and threshold."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from nearid_search import __version__
from nearid_search.calibration import Calibration
from nearid_search.config import CalibrateConfig, QueryConfig
from nearid_search.engine import SearchEngine
from nearid_search.errors import CalibrationError
from nearid_search.eval.calibration_trials import OnAsked, Trials, ask_gallery, marked_rows
from nearid_search.eval.held_out import FOLDS, HeldOut, count_verdicts, judge_held_out, measure
from nearid_search.eval.verdict_fit import choose_threshold, fit_models
from nearid_search.indexer.calibration_file import sample_rows, write_calibration
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.search.stored_index import OnWarning

LEAST_IDENTITIES = 20
"""With two or more views; with fewer, what is left out of the fit and what is fitted are both too little."""

_SHOWING = 3  # strangers expected above a threshold before its rate is claimed: with none seen, 3/n is still possible


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationReport:
    """What calibrating found.

    Attributes:
        gallery: folder of the gallery.
        calibration: what is stored in it.
        trials: the searches.
        held_out: what was said of each, by models that had not seen its identity.
        seconds: wall-clock time.
    """

    gallery: str
    calibration: Calibration
    trials: Trials
    held_out: HeldOut
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``calibrate --json``."""
        stored = asdict(self.calibration)
        for name in ("sample", "format_version"):
            del stored[name]
        return {"gallery": self.gallery, **stored, "seconds": round(self.seconds, 3)}


def calibrate_gallery(
    gallery: Gallery,
    config: CalibrateConfig | None = None,
    *,
    backend: str = QueryConfig.backend,
    on_asked: OnAsked | None = None,
    on_warning: OnWarning | None = None,
) -> CalibrationReport:
    """Fit the verdict on a gallery's own views and store it there.

    Args:
        gallery: any gallery; no picture is encoded.
        config: how.
        backend: what to search with; "auto" is what answers queries.
        on_asked: told how many searches are done, of how many.
        on_warning: told of a search index that is damaged or covers little; by default a Python warning.

    Raises:
        CalibrationError: if fewer than 20 identities have two views.
        ConfigError: if the backend is unknown.
        GalleryLockedError: if another process is writing to it.
        GalleryWriteError: if the result cannot be written.
    """
    config = config or CalibrateConfig()
    started = time.perf_counter()
    with writer_lock(gallery.folder):
        gallery.reopen()  # another process may have written, or made it anew, since the caller opened it
        engine = SearchEngine(gallery, None, backend=backend, rerank="none", on_warning=on_warning)
        _check_enough(engine)
        trials = ask_gallery(engine, queries=config.queries, seed=config.seed, on_asked=on_asked)
        held_out = judge_held_out(trials, seed=config.seed)
        threshold = choose_threshold(held_out.confidence[trials.whole], config.fpir)
        calibration = Calibration(
            model=replace(fit_models(trials), threshold=threshold),
            fpir=config.fpir,
            claimed=config.fpir * int(trials.whole.sum()) >= _SHOWING,
            figures={n: f.as_dict() for n, f in measure(trials, held_out, config.fpir, seed=config.seed).items()},
            verdicts=count_verdicts(trials, held_out, config.fpir),
            known=int(trials.known.sum()),
            strangers=int(trials.whole.sum()),
            distractors=int((trials.marked & trials.whole).sum()),
            asked_identities=len(np.unique(trials.identities)),
            folds=FOLDS,
            queries=config.queries,
            seed=config.seed,
            encoder=gallery.manifest.encoder.fingerprint,
            tables=gallery.manifest.tables,
            lance_version=engine.rows.lance_version,
            images=len(engine.enrolled.codes),
            identities=len(engine.enrolled.num_views),
            sample=sample_rows(engine.rows, engine.enrolled.identities),
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            made_by=__version__,
        )
        write_calibration(gallery.folder, calibration)
    seconds = time.perf_counter() - started
    return CalibrationReport(
        gallery=str(gallery.folder), calibration=calibration, trials=trials, held_out=held_out, seconds=seconds
    )


def _check_enough(engine: SearchEngine) -> None:
    views = np.bincount(engine.enrolled.codes[~marked_rows(engine)], minlength=1)
    found = int((views > 1).sum())
    if found < LEAST_IDENTITIES:
        raise CalibrationError(
            f"{found} identities have two or more views, and it takes {LEAST_IDENTITIES} to say how likely an answer "
            "is right: add views of more things and index again; until then verdicts are provisional"
        )
