"""Evaluate an encoder on a split of a dataset: every protocol, for the head and the frozen backbone side by side."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from nearid_search import __version__
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError, DatasetError
from nearid_search.eval.comparisons import compare_readouts, make_baselines
from nearid_search.eval.embedded_split import EmbeddedSplit, PlacedSamples, embed_split, pictures_of
from nearid_search.eval.eval_report import EvalReport, ReadoutReport
from nearid_search.eval.intervals import RESAMPLES, Sampling
from nearid_search.eval.protocols.ann_gap import evaluate_ann_gap
from nearid_search.eval.protocols.cross_view import evaluate_cross_view
from nearid_search.eval.protocols.gallery import evaluate_gallery, nearest_others, with_fillers
from nearid_search.eval.protocols.masked import evaluate_masked
from nearid_search.eval.protocols.open_set import FOLDS, evaluate_open_set
from nearid_search.eval.protocols.pairs import evaluate_pairs
from nearid_search.eval.protocols.verification import evaluate_verification
from nearid_search.eval.readouts import FROZEN, HEAD, MEAN, OTHER, Readouts
from nearid_search.head_file import LoadedHead
from nearid_search.images import IMAGE_SUFFIXES
from nearid_search.indexer.search.backend import check_backend, require_backend
from nearid_search.trainer.datasets import Dataset, Sample
from nearid_search.trainer.datasets.checks import check_identities
from nearid_search.trainer.datasets.image_sources import FileImage, ImageSource

_COMPUTING = (
    "faiss-cpu",
    "faiss-gpu",
    "numpy",
    "onnxruntime",
    "open_clip_torch",
    "openvino",
    "pillow",
    "timm",
    "torch",
)
"""Packages that read pictures, run backbones or search, any of which may change a last digit."""


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """How to judge.

    Attributes:
        seed: of folds, order of fillers and every resampling.
        resamples: of every interval and paired test, at least 1.
        folds: parts of the identities of which one is held out in the open-set protocol, at least 2.
        backend: index that is compared with exact search.
        masked: judge pictures without background, too, where a view has a mask; it doubles the pictures to embed.
        batch_size: pictures a backbone call; changes memory and speed, never a figure.

    Raises:
        ConfigError: if a value is out of range.
    """

    seed: int = 0
    resamples: int = RESAMPLES
    folds: int = FOLDS
    backend: str = "auto"
    masked: bool = True
    batch_size: int = 8

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("resamples", 1), ("folds", 2), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be {least} or more, got {getattr(self, name)}")
        check_backend(self.backend)

    @property
    def sampling(self) -> Sampling:
        """How to resample."""
        return Sampling(resamples=self.resamples, seed=self.seed)


@dataclass(frozen=True)
class EvalListener:
    """Who is told how an evaluation goes on.

    Attributes:
        on_note: a line for a person: the plan, warnings.
        on_embed: after every batch of the backbone: pictures done, and all.
        on_judge: before each readout is judged: its name.
    """

    on_note: Callable[[str], None] = _ignore
    on_embed: Callable[[int, int], None] = _ignore
    on_judge: Callable[[str], None] = _ignore


def evaluate(
    dataset: Dataset,
    encoder: IdentityEncoder,
    *,
    split: str = "test",
    compare: LoadedHead | None = None,
    fillers: Iterable[ImageSource] = (),
    options: EvalOptions | None = None,
    command: str = "",
    listener: EvalListener | None = None,
) -> EvalReport:
    """Judge an encoder on a split.

    The backbone runs once over each picture; its own readout, the plain average of its tokens and the heads share that
    pass. Everything depends on dataset, encoder and options alone.

    Args:
        dataset: opened; only ``split`` is read, but no identity may be in two splits.
        encoder: with a head, or without for the frozen backbone alone.
        split: ``train``, ``val`` or ``test``.
        compare: a second head on the same backbone; the two are tested on the same samples.
        fillers: pictures that show nothing of the split, to dilute the gallery with.
        options: how to judge.
        command: to record in the report.
        listener: who is told how it goes on.

    Returns:
        The report. Figures that do not exist are NaN and say why.

    Raises:
        ConfigError: if there is a head to compare with and none to compare, or the backend needs a stored gallery.
        DatasetError: if the split is unknown, empty or unreadable, or an identity or view contradicts another.
        DeviceUnavailableError, MissingExtraError: if the index to compare with exact search cannot be had here.
    """
    started = time.perf_counter()
    options, listener = options or EvalOptions(), listener or EvalListener()
    require_backend(options.backend)
    readouts = Readouts(encoder, other=compare)
    samples = _samples_of(dataset, split, masked=options.masked)
    others = list(fillers)
    warnings = _tell_plan(dataset, samples, others, readouts, listener)
    embedded = embed_split(
        samples, readouts, fillers=others, batch_size=options.batch_size, on_progress=listener.on_embed
    )
    reports = _judge_readouts(embedded, readouts, options, listener)
    listener.on_judge(MEAN)
    return EvalReport(
        dataset=str(dataset.path),
        split=embedded.name,
        seed=options.seed,
        resamples=options.resamples,
        command=command,
        device=encoder.device,
        versions=_versions(),
        backbone=encoder.backbone.spec.fingerprint,
        encoder=encoder.fingerprint,
        data_sha256=_data_hash(embedded),
        readouts=reports,
        baselines=make_baselines(embedded, reports, options.sampling),
        differences=compare_readouts(reports, options.sampling),
        embedded=embedded,
        warnings=tuple(warnings),
        seconds=time.perf_counter() - started,
    )


def find_fillers(folder: Path) -> list[ImageSource]:
    """List the pictures in a folder and all below it, as fillers.

    Raises:
        DatasetError: if it is no folder or holds no picture.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder: give one with pictures to dilute the gallery with")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not found:
        raise DatasetError(f"{folder} holds no pictures: expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}")
    return [FileImage(path) for path in found]


def _samples_of(dataset: Dataset, split: str, *, masked: bool) -> tuple[Sample, ...]:
    samples = dataset.split(split)
    if not samples:
        found = ", ".join(sorted({sample.split for sample in dataset.samples})) or "none"
        raise DatasetError(f"{dataset.path} has no {split} split (it has {found}): name another with --split")
    check_identities(dataset)
    return tuple(samples if masked else (sample.without_masks() for sample in samples))


def _tell_plan(
    dataset: Dataset,
    samples: Sequence[Sample],
    fillers: Sequence[ImageSource],
    readouts: Readouts,
    listener: EvalListener,
) -> list[str]:
    wanted = set(pictures_of(samples))
    num_masked = sum(picture.mask is not None for picture in wanted)
    masked = f", {num_masked:,} of them without background" if num_masked else ""
    listener.on_note(
        f"{dataset.path}: {len(samples):,} identities of {samples[0].split}; {len(wanted) + len(fillers):,} pictures "
        f"to embed with {readouts.encoder.backbone.spec.name} on {readouts.encoder.device}{masked}"
    )
    warnings = list(dataset.warnings)
    for warning in warnings:
        listener.on_note(f"warning: {warning}")
    return warnings


def _judge_readouts(
    embedded: EmbeddedSplit, readouts: Readouts, options: EvalOptions, listener: EvalListener
) -> dict[str, ReadoutReport]:
    reports = {}
    for name in (HEAD, FROZEN, OTHER):
        if name in readouts.fingerprints:
            listener.on_judge(name)
            reports[name] = judge_readout(embedded, name, readouts.fingerprints[name], options)
    return reports


def judge_readout(embedded: EmbeddedSplit, name: str, fingerprint: str, options: EvalOptions) -> ReadoutReport:
    """Run every protocol on the embeddings of one readout.

    Args:
        embedded: the split.
        name: of the readout.
        fingerprint: of backbone and readout.
        options: how to judge.

    Raises:
        MissingExtraError: if the index to compare with exact search is not installed.
    """
    placed, embeddings = embedded.placed, embedded.embeddings[name]
    gallery = evaluate_gallery(placed, embeddings, **options.sampling)
    nearest = nearest_others(placed, embeddings)
    return ReadoutReport(
        fingerprint=fingerprint,
        pairs=evaluate_pairs(placed, embeddings, **options.sampling),
        gallery=gallery,
        gallery_slices={
            category: gallery.slice(np.isin(gallery.codes, codes), **options.sampling)
            for category, codes in _categories(placed).items()
        },
        fillers=with_fillers(placed, embeddings, embedded.fillers, **options.sampling),
        nearest=nearest,
        verification=evaluate_verification(placed, embeddings, **options.sampling),
        open_set=evaluate_open_set(placed, embeddings, folds=options.folds, **options.sampling),
        cross_view=evaluate_cross_view(placed, embeddings, nearest, **options.sampling),
        masked=evaluate_masked(embedded, embeddings, **options.sampling),
        ann_gap=evaluate_ann_gap(placed, embeddings, options.backend, fillers=embedded.fillers, **options.sampling),
    )


def _categories(placed: PlacedSamples) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for code, sample in enumerate(placed.samples):
        found.setdefault(sample.category or "unknown", []).append(code)
    return dict(sorted(found.items()))


def _versions() -> dict[str, str]:
    return {
        "nearid-search": __version__,
        "python": platform.python_version(),
        **{name: found for name in _COMPUTING if (found := _version_of(name))},
        "system": platform.platform(),
    }


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _data_hash(embedded: EmbeddedSplit) -> str:
    """Fingerprint what was judged: every view and distractor left, with its place and the row of its content."""
    digest = hashlib.sha256()
    placed = embedded.placed
    for sample, rows in zip(placed.samples, placed.rows, strict=True):
        for view, places in zip(sample.views, rows.views, strict=True):
            for source, row in [("", places.view), *sorted(places.distractors.items())]:
                for text in (sample.identity, str(view.number), source, embedded.keys[row]):
                    part = text.encode()
                    digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
