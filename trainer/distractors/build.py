"""From a catalogue to a training set with distractors, in two passes that both go on where they stopped."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nearid_search import __version__
from nearid_search.encoder import IdentityEncoder
from nearid_search.map_ahead import map_ahead
from nearid_search.opencv_extra import import_cv2
from nearid_search.records import Failure
from nearid_search.trainer.distractors.config import SOURCES, DistractorConfig
from nearid_search.trainer.distractors.dataset_folder import PREVIEW, DatasetFolder
from nearid_search.trainer.distractors.inpainting import CopyInpainter, Inpainter
from nearid_search.trainer.distractors.lookalikes import rank_lookalikes
from nearid_search.trainer.distractors.masks import MaskFinder
from nearid_search.trainer.distractors.plan import DistractorPlan, PlannedView, plan_distractors
from nearid_search.trainer.distractors.prepare import PreparedView, prepare_views, stack_embeddings
from nearid_search.trainer.distractors.preview import PreviewRow, draw_preview
from nearid_search.trainer.distractors.synthesis import LookAlike, MadeView, Synthesiser

_PREVIEW_ROWS = 24
_PACKAGES = ("opencv-python-headless", "numpy", "pillow", "onnxruntime")


@dataclass(frozen=True)
class Listener:
    """What is told of a run while it goes on.

    Attributes:
        planned: with the plan, before anything is opened.
        advanced: with the pass ("masks" or "pictures"), the views done and all views.
    """

    planned: Callable[[DistractorPlan], None] = lambda _: None
    advanced: Callable[[str, int, int], None] = lambda _pass, _done, _total: None


@dataclass(frozen=True, kw_only=True)
class DistractorReport:
    """What a run made.

    Attributes:
        out: the dataset.
        split_sizes: identities in each split.
        single: identities with one view.
        views: written.
        pictures: positives and distractors written.
        sources: distractors by source.
        masks: views by the origin of their mask.
        rejected: for masks and each source, how often which reason.
        failures: pictures that were left out.
        preview: the sheet; None if no view has a mask.
        seconds: of this run.
    """

    out: str
    split_sizes: dict[str, int]
    single: int
    views: int
    pictures: int
    sources: dict[str, int]
    masks: dict[str, int]
    rejected: dict[str, dict[str, int]]
    failures: tuple[Failure, ...] = field(default=())
    preview: str | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)


def make_distractors(
    catalogue: Path,
    out: Path,
    *,
    config: DistractorConfig | None = None,
    identities: Path | None = None,
    masks: Path | None = None,
    inpainter: Inpainter | None = None,
    device: str = "auto",
    command: str = "",
    listener: Listener | None = None,
) -> DistractorReport:
    """Make a training set from a catalogue: for every view, other things on its background.

    A run that was stopped goes on where it was; a complete dataset is left as it is. The same pictures and settings
    give the same bytes on the same machine.

    Args:
        catalogue: folder of pictures; its sub-folders name the identities.
        out: folder for the dataset, new or of the same run.
        config: settings; the defaults if None.
        identities: table of paths and identities; None for sub-folders.
        masks: folder of the user's masks, as ``MaskFinder`` takes it.
        inpainter: what removes things; ``CopyInpainter`` if None.
        device: of the encoder: "auto", "cpu", "cuda" or "cuda:N".
        command: how the run was started, for the manifest.
        listener: is told of plan and progress.

    Returns:
        What was made.

    Raises:
        BackboneError: if the backbone is unknown.
        CatalogueError: if catalogue or table cannot be used.
        DatasetError: if ``out`` holds something else or cannot be written, or ``masks`` is no folder.
        DeviceUnavailableError: if the device is absent.
        MissingExtraError: if OpenCV or what the backbone needs is not installed.
        WeightsError: if weights are missing or not the expected ones.
    """
    started = time.monotonic()
    import_cv2()
    config, listener = config or DistractorConfig(), listener or Listener()
    inpainter = inpainter or CopyInpainter()
    plan = plan_distractors(catalogue, config, identities)
    settings = {
        "command": command,
        "config": config.as_dict(),
        "inpainter": inpainter.name,
        "masks": None if masks is None else str(masks),
        "versions": {"nearid-search": __version__} | {name: version(name) for name in _PACKAGES},
    }
    folder = DatasetFolder(out, _fingerprint(plan, settings))
    plan = replace(plan, done=sum(folder.record(view) is not None for view in plan.views))
    listener.planned(plan)
    failures = list(plan.failures)
    if not folder.complete:
        folder.start(settings)
        finder = MaskFinder(masks, config.mask_model)
        encoder = IdentityEncoder.open(config.backbone, device=device)
        prepared = []
        for view in prepare_views(plan, folder.work, size=config.size, finder=finder, encoder=encoder):
            prepared.append(view)
            listener.advanced("masks", len(prepared), len(plan.views))
        _write_views(plan, prepared, folder, Synthesiser(catalogue, config, inpainter), config.choices, listener)
        failures += [Failure(view.view.file.path, view.reason) for view in prepared if not view.sha256]
    return _finish(plan, folder, settings, failures, started)


def _write_views(
    plan: DistractorPlan,
    prepared: list[PreparedView],
    folder: DatasetFolder,
    synthesiser: Synthesiser,
    choices: int,
    listener: Listener,
) -> None:
    lookalikes = _find_lookalikes(prepared, choices)
    todo = [view for view in prepared if view.sha256 and folder.record(view.view) is None]
    done = len(plan.views) - len(todo)

    def make(view: PreparedView) -> tuple[PlannedView, MadeView]:
        return view.view, synthesiser.make(view, lookalikes.get(view.view, ()))

    for view, made in map_ahead(make, todo, ahead=4):
        folder.write_view(view, made)
        done += 1
        listener.advanced("pictures", done, len(plan.views))


def _find_lookalikes(prepared: list[PreparedView], choices: int) -> dict[PlannedView, list[LookAlike]]:
    masked = [(view, view.mask) for view in prepared if view.mask is not None]
    views = [view.view for view, _ in masked]
    embeddings = stack_embeddings([view for view, _ in masked])
    ranked = rank_lookalikes(
        embeddings, [view.identity for view in views], [view.split for view in views], choices=choices
    )
    return {
        view: [LookAlike(views[row], masked[row][1], score) for row, score in found]
        for view, found in zip(views, ranked, strict=True)
    }


def _finish(
    plan: DistractorPlan, folder: DatasetFolder, settings: Mapping[str, Any], failures: list[Failure], started: float
) -> DistractorReport:
    records = {view: record for view in plan.views if (record := folder.record(view)) is not None}
    rejected: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records.values():
        for what, reason in record["rejected"].items():
            rejected[what][reason] += 1
    sources = {source: sum(source in record for record in records.values()) for source in SOURCES}
    rows = _preview_rows(plan, folder, list(records))
    report = DistractorReport(
        out=str(folder.path),
        split_sizes=plan.split_sizes,
        single=plan.single,
        views=len(records),
        pictures=len(records) + sum(sources.values()),
        sources=sources,
        masks=dict(Counter(record["mask"] for record in records.values() if record["mask"])),
        rejected={what: dict(reasons.most_common()) for what, reasons in sorted(rejected.items())},
        failures=tuple(failures),
        preview=str(folder.path / PREVIEW) if rows else None,
        seconds=round(time.monotonic() - started, 2),
    )
    if not folder.complete:
        counts = {name: value for name, value in report.as_dict().items() if name not in ("out", "preview", "seconds")}
        views = {view.folder: {"identity": view.identity, **record} for view, record in records.items()}
        folder.finish({**settings, **counts, "by_view": views}, draw_preview(rows) if rows else None)
    return report


def _preview_rows(plan: DistractorPlan, folder: DatasetFolder, views: Sequence[PlannedView]) -> list[PreviewRow]:
    """Choose views to show, evenly over the dataset."""
    shown = [view for view in views if (folder.path / view.folder / "mask.png").is_file()]
    rows = min(len(shown), _PREVIEW_ROWS)
    shown = [shown[number * len(shown) // rows] for number in range(rows)]
    return [PreviewRow(plan.catalogue / view.file.path, folder.path / view.folder, view.folder) for view in shown]


def _fingerprint(plan: DistractorPlan, settings: Mapping[str, Any]) -> str:
    """Name all that decides a dataset's bytes; versions are recorded, but do not forbid to go on."""
    decisive = {name: settings[name] for name in ("config", "inpainter", "masks")}
    decisive["views"] = [[*view.file, view.identity, view.split, view.number] for view in plan.views]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
