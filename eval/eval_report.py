"""What an evaluation found: every figure with its interval and its n, what was left out, and what made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nearid_search.eval.embedded_split import EmbeddedSplit
from nearid_search.eval.intervals import Interval
from nearid_search.eval.paired import PairedDifference
from nearid_search.eval.protocols.ann_gap import AnnGapResult
from nearid_search.eval.protocols.cross_view import CrossViewResult
from nearid_search.eval.protocols.gallery import GalleryResult, NearestOthers
from nearid_search.eval.protocols.masked import MaskedResult
from nearid_search.eval.protocols.open_set import OpenSetResult
from nearid_search.eval.protocols.pairs import PairsResult
from nearid_search.eval.protocols.verification import VerificationResult

FORMAT_VERSION = 1
MASKED = " + mask"
"""How names of baselines end that see no background."""
BASELINE_FIGURES = ("ssr", "pa", "recall@1", "recall@5", "recall@10", "map")


@dataclass(frozen=True, kw_only=True)
class ReadoutReport:
    """Every protocol's result for one readout.

    Attributes:
        fingerprint: of backbone and readout.
        pairs: SSR and PA.
        gallery: recall, mAP, mINP and R-precision.
        gallery_slices: figures of ``gallery`` by category.
        fillers: ``gallery`` diluted, by how much.
        nearest: what came nearest to each view.
        verification: TAR.
        open_set: FNIR and DIR.
        cross_view: recall by difference, by column.
        masked: with and without background; None if no view has a mask.
        ann_gap: the gallery's index against exact search.
    """

    fingerprint: str
    pairs: PairsResult
    gallery: GalleryResult
    gallery_slices: dict[str, dict[str, Interval]]
    fillers: dict[str, GalleryResult]
    nearest: NearestOthers
    verification: VerificationResult
    open_set: OpenSetResult
    cross_view: dict[str, CrossViewResult]
    masked: MaskedResult | None
    ann_gap: AnnGapResult

    @property
    def figures(self) -> dict[str, Interval]:
        """The headline figures by name."""
        pooled = self.pairs.pooled
        pairs = {name: getattr(pooled, name) for name in ("ssr", "pa", "pa_reference", "ssr_mean")}
        return {**pairs, **self.gallery.figures, **self.verification.figures, **self.open_set.figures}

    def as_dict(self) -> dict[str, Any]:
        """Return figures, slices and counts, JSON-ready."""
        per_category = {
            name: {
                **(self.pairs.per_category[name].as_dict() if name in self.pairs.per_category else {}),
                **_as_dicts(figures),
            }
            for name, figures in self.gallery_slices.items()
        }
        gallery = {name: value for name, value in self.gallery.as_dict().items() if name.startswith("n_")}
        return {
            "fingerprint": self.fingerprint,
            **_as_dicts(self.figures),
            "per_source": {name: each.as_dict() for name, each in self.pairs.per_source.items()},
            "per_category": per_category,
            "per_views": {name: each.as_dict() for name, each in self.pairs.per_views.items()},
            "fillers": {name: each.as_dict() for name, each in self.fillers.items()},
            "verification": self.verification.as_dict(),
            "open_set": self.open_set.as_dict(),
            "cross_view": {name: each.as_dict() for name, each in self.cross_view.items()},
            "masked": None if self.masked is None else self.masked.as_dict(),
            "ann_gap": self.ann_gap.as_dict(),
            "counts": {
                "n_samples_dropped": self.pairs.pooled.n_dropped,
                "n_identities_unpaired": self.pairs.n_unpaired,
                **gallery,
            },
        }


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One row of the table that compares readouts.

    Attributes:
        name: of the readout, with " + mask" where the background is cut out.
        figures: ``ssr``, ``pa``, ``recall@1``, ``recall@5``, ``recall@10`` and ``map``.
        n_left_out: views and distractors of the first row that this one lacks: those without a mask, or that could not
            be cut out by it.
    """

    name: str
    figures: dict[str, Interval]
    n_left_out: int

    @property
    def comparable(self) -> bool:
        """Whether it is about the same pictures as the first row."""
        return not self.n_left_out

    @property
    def label(self) -> str:
        """The name, with a star if the row is not to be ranked; see ``EvalReport.star``."""
        return self.name if self.comparable else f"{self.name} *"

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        how_much = {"comparable": self.comparable, "n_left_out": self.n_left_out}
        return {"name": self.name, **how_much, **_as_dicts(self.figures)}


@dataclass(frozen=True, kw_only=True)
class EvalReport:
    """What an evaluation found.

    Attributes:
        dataset: where the dataset lies.
        split: the split that was judged.
        seed: of folds, fillers and resampling.
        resamples: of every interval.
        command: the command line, if there was one.
        device: what the backbone ran on.
        versions: of this library, Python, the packages here that compute something, and the machine's system.
        backbone: fingerprint of the backbone.
        encoder: fingerprint of the encoder.
        data_sha256: of what was judged: every picture with its place; see ``evaluate``.
        readouts: by name, "frozen" always among them, "head" if the encoder has one.
        baselines: the table that compares them.
        differences: head less frozen, and head less the other head, by figure; see ``intervals.paired_difference``.
        embedded: pictures, embeddings and what was dropped, for plots and picture strips.
        warnings: about the dataset, one line each.
        seconds: wall-clock time.
    """

    dataset: str
    split: str
    seed: int
    resamples: int
    command: str
    device: str
    versions: dict[str, str]
    backbone: str
    encoder: str
    data_sha256: str
    readouts: Mapping[str, ReadoutReport]
    baselines: tuple[Baseline, ...]
    differences: dict[str, dict[str, PairedDifference]]
    embedded: EmbeddedSplit
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    format_version: int = field(default=FORMAT_VERSION)

    @property
    def counts(self) -> dict[str, int]:
        """How much was judged."""
        placed = self.embedded.placed
        return {
            "identities": len(placed.samples),
            "views": len(placed.view_rows),
            "distractors": sum(len(view.distractors) for sample in placed.samples for view in sample.views),
            "fillers": len(self.embedded.fillers),
        }

    @property
    def left_out(self) -> dict[str, int]:
        """What is in no figure, or not in all, in words, and how much of it; only what there is."""
        dropped = {name.replace("_", " "): n for name, n in vars(self.embedded.dropped).items() if name != "failures"}
        first = next(iter(self.readouts.values()))
        every = {
            **dropped,
            "samples without a margin, in no SSR or PA": first.pairs.pooled.n_dropped,
            "identities without a margin, for want of a second view or of distractors": first.pairs.n_unpaired,
            "views that are their identity's only one, in no recall or mAP": first.gallery.n_lone,
            "open-set distractors that show another identity of the split": first.open_set.n_shown,
        }
        return {name: number for name, number in every.items() if number}

    @property
    def left_out_line(self) -> str:
        """``left_out`` in one line, to stand beside figures; empty if nothing was."""
        words = "; ".join(f"{number:,} {name}" for name, number in self.left_out.items())
        return f"left out: {words}" if words else ""

    @property
    def star(self) -> str:
        """What the star of a baseline means; empty if none has one."""
        lost = max((row.n_left_out for row in self.baselines), default=0)
        why = f"{lost:,} pictures that have no mask or could not be cut out by it"
        return f"* leaves out {why}: do not rank it against the other rows" if lost else ""

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``eval --json``; ``head`` is null without a head."""
        named = {name: report.as_dict() for name, report in self.readouts.items()}
        made_by = ("format_version", "command", "device", "versions", "backbone", "encoder")
        judged = ("dataset", "split", "data_sha256", "seed", "resamples")
        return {
            **{name: getattr(self, name) for name in (*made_by, *judged)},
            "counts": self.counts,
            "dropped": self.embedded.dropped.as_dict(),
            "warnings": list(self.warnings),
            "head": None,
            **{name.replace(" ", "_"): values for name, values in named.items()},
            "baselines": [each.as_dict() for each in self.baselines],
            "differences": {name: _as_dicts(each) for name, each in self.differences.items()},
            "seconds": round(self.seconds, 3),
        }


def _as_dicts(figures: Mapping[str, Interval] | Mapping[str, PairedDifference]) -> dict[str, Any]:
    return {name: figure.as_dict() for name, figure in figures.items()}
