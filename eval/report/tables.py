"""The tables of a report: a caption, headings, and rows of figures or words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from nearid_search.eval.eval_report import BASELINE_FIGURES, EvalReport, ReadoutReport
from nearid_search.eval.intervals import Interval
from nearid_search.eval.protocols.open_set import RATES
from nearid_search.eval.protocols.pairs import PairFigures, slices_line

_MOST_ROWS = 100

TITLES = {
    "ssr": "SSR",
    "pa": "PA",
    "pa_reference": "PA, reference code",
    "ssr_mean": "SSR of mean margins",
    "recall@1": "Recall@1",
    "recall@5": "Recall@5",
    "recall@10": "Recall@10",
    "map": "mAP",
    "minp": "mINP",
    "r_precision": "R-precision",
    "tar@far=0.01": "TAR at FAR 1 %",
    "tar@far=0.001": "TAR at FAR 0.1 %",
    "fnir@fpir=0.01": "FNIR at FPIR 1 %",
    "fnir@fpir=0.001": "FNIR at FPIR 0.1 %",
    "dir@far=0.01": "DIR at FAR 1 %",
    "dir@far=0.001": "DIR at FAR 0.1 %",
}


@dataclass(frozen=True)
class Difference:
    """How much a figure is above another's, in percentage points."""

    interval: Interval


Cell = str | Interval | Difference


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: what it shows.
        columns: headings; the first stands above the names of the rows.
        rows: name and cells, one for each further column.
        notes: what must be said beside it, such as rows that are not comparable.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why figures or their intervals are missing, each reason once."""
        intervals = [
            cell.interval if isinstance(cell, Difference) else cell
            for _, cells in self.rows
            for cell in cells
            if not isinstance(cell, str)
        ]
        return tuple(dict.fromkeys(each.reason for each in intervals if each.reason))


def headline_table(report: EvalReport) -> Table:
    """Return every headline figure of every readout, with differences where there are two."""
    columns = ["figure", *report.readouts, *(word for name in report.differences for word in (name, "p"))]
    rows = []
    for figure, title in TITLES.items():
        cells: list[Cell] = [readout.figures[figure] for readout in report.readouts.values()]
        for differences in report.differences.values():
            found = differences.get(figure)
            cells += ["", ""] if found is None else [Difference(found.difference), _p_value(found.p_value)]
        rows.append((title, tuple(cells)))
    notes = ["n of a difference in PA counts samples, each weighted by its trials"] if report.differences else []
    for name, differences in report.differences.items():
        if lost := max(each.n_dropped for each in differences.values()):
            notes.append(f"{name}: {lost:,} samples or queries that only one of the two has are in no difference")
    notes += filter(None, [report.left_out_line])
    return Table("All figures, in percent", tuple(columns), tuple(rows), tuple(notes))


def baseline_table(report: EvalReport) -> Table:
    """Return one row an encoder, as the paper's Table 1 has them."""
    rows = tuple((row.label, tuple(row.figures[figure] for figure in BASELINE_FIGURES)) for row in report.baselines)
    notes = tuple(filter(None, (report.star, report.left_out_line)))
    columns = ("encoder", *(TITLES[figure] for figure in BASELINE_FIGURES))
    return Table("Ways of reading one backbone, in percent", columns, rows, notes)


def source_table(report: EvalReport) -> Table:
    """Return SSR and PA by distractor source."""
    return _pair_slices(report, "By distractor source", "source", lambda readout: readout.pairs.per_source)


def views_table(report: EvalReport) -> Table:
    """Return SSR and PA by number of views of the identity; empty if all have as many."""
    found = _pair_slices(report, "By number of views", "views", lambda readout: readout.pairs.per_views)
    return found if len(found.rows) > 1 else replace(found, rows=())


def category_table(report: EvalReport) -> Table:
    """Return SSR, Recall@1 and mAP by category, largest first; empty if all are of one."""
    first = next(iter(report.readouts.values()))
    sizes = {name: figures["recall@1"].n for name, figures in first.gallery_slices.items()}
    names = sorted(sizes, key=lambda name: (-sizes[name], name))

    def cell(readout: ReadoutReport, name: str, figure: str) -> Cell:
        if figure == "ssr":
            return readout.pairs.per_category[name].ssr if name in readout.pairs.per_category else ""
        return readout.gallery_slices[name][figure]

    listed = names if len(names) > 1 else []
    return _sliced(report, "By category", "category", listed, ("ssr", "recall@1", "map"), cell)


def filler_table(report: EvalReport) -> Table:
    """Return recall and mAP in galleries diluted with fillers."""
    first = next(iter(report.readouts.values())).fillers
    galleries = {f"{factor} ({result.n_indexed:,} pictures)": factor for factor, result in first.items()}

    def cell(readout: ReadoutReport, name: str, figure: str) -> Cell:
        return readout.fillers[galleries[name]].figures[figure]

    return _sliced(report, "With fillers in the gallery", "fillers", galleries, ("recall@1", "recall@5", "map"), cell)


def masked_table(report: EvalReport) -> Table:
    """Return what the same views give with and without background."""
    rows = []
    for name, readout in report.readouts.items():
        if readout.masked is not None:
            found = readout.masked
            for label, pairs, gallery in (
                ("whole picture", found.full_pairs, found.full_gallery),
                ("foreground alone", found.pairs, found.gallery),
            ):
                figures = (pairs.pooled.ssr, pairs.pooled.pa, gallery.figures["recall@1"], gallery.figures["map"])
                rows.append((f"{name}, {label}", figures))
    masked = next(iter(report.readouts.values())).masked
    notes = (
        () if masked is None or not masked.n_unmasked else (f"{masked.n_unmasked:,} views without a mask are in none",)
    )
    return Table("With and without background, in percent", ("", "SSR", "PA", "Recall@1", "mAP"), tuple(rows), notes)


def cross_view_tables(report: EvalReport) -> list[Table]:
    """Return recall by how much two views differ, a table for each column of the dataset."""
    tables = []
    first = next(iter(report.readouts.values())).cross_view
    for column, result in first.items():
        notes = (f"{result.n_dropped:,} pairs of views without this number",) if result.n_dropped else ()
        rows = tuple(
            (
                f"{each.low:.4g} to {each.high:.4g}",
                tuple(readout.cross_view[column].bins[place].recall for readout in report.readouts.values()),
            )
            for place, each in enumerate(result.bins)
        )
        caption = f"Recall@1 from one other view, by difference in {column}, in percent"
        tables.append(Table(caption, (f"difference in {column}", *report.readouts), rows, notes))
    return tables


def ann_table(report: EvalReport) -> Table:
    """Return rank-1 by exact search and, where there was one to compare, through the gallery's index."""
    gaps = {name: readout.ann_gap for name, readout in report.readouts.items()}
    backend = next(iter(gaps.values())).backend
    rows = tuple(
        (name, (gap.exact_rank1, gap.rank1, Difference(gap.gap.difference)))
        for name, gap in gaps.items()
        if gap.gap is not None
    )
    if not rows:
        scanned = tuple((name, (gap.exact_rank1,)) for name, gap in gaps.items())
        note = f"{backend} scans every row of a gallery of this size: no index was compared"
        return Table("Recall@1 by exact search, in percent", ("", "exact"), scanned, (note,))
    columns = ("", "exact", f"index ({backend})", "lost to the index")
    return Table("Recall@1 by exact search and through the gallery's index, in percent", columns, rows)


def threshold_table(report: EvalReport) -> Table:
    """Return where the open-set thresholds lie and which strangers pass them."""
    rows = []
    for name, readout in report.readouts.items():
        for rate in RATES:
            found = readout.open_set.thresholds.get(f"fpir={rate}")
            if found is not None:
                numbers = (f"{found.score:.3f}", f"{100 * found.achieved:.2f}")
                rows.append((f"{name}, FPIR {100 * rate:g} %", (*numbers, found.achieved_near, found.achieved_held)))
    columns = ("", "threshold (cosine)", "strangers accepted", "of distractors", "of held-out things")
    return Table("Thresholds, and who passes them in percent", columns, tuple(rows))


def dropped_table(report: EvalReport) -> Table:
    """Return how much of what counts nowhere; empty if nothing was left out."""
    rows = tuple((name, (f"{number:,}",)) for name, number in report.left_out.items())
    return Table("What was left out", ("", "how many"), rows)


def _pair_slices(
    report: EvalReport, caption: str, what: str, parts: Callable[[ReadoutReport], Mapping[str, PairFigures]]
) -> Table:
    names = list(parts(next(iter(report.readouts.values()))))

    def cell(readout: ReadoutReport, name: str, figure: str) -> Cell:
        found: Cell = getattr(parts(readout)[name], figure)
        return found

    found = _sliced(report, caption, what, names, ("ssr", "pa"), cell)
    lost = slices_line(parts(next(iter(report.readouts.values()))))
    return replace(found, notes=(*found.notes, lost)) if lost else found


def _sliced(
    report: EvalReport,
    caption: str,
    what: str,
    names: Iterable[str],
    figures: tuple[str, ...],
    cell: Callable[[ReadoutReport, str, str], Cell],
) -> Table:
    """Return a row for each slice, the readouts side by side under each figure."""
    listed = list(names)
    left = len(listed) - _MOST_ROWS
    notes = (f"{left:,} more are in the output of --json",) if left > 0 else ()
    columns = (what, *(f"{TITLES[figure]}, {name}" for figure in figures for name in report.readouts))
    rows = tuple(
        (name, tuple(cell(readout, name, figure) for figure in figures for readout in report.readouts.values()))
        for name in listed[:_MOST_ROWS]
    )
    return Table(f"{caption}, in percent", columns, rows, notes)


def _p_value(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4f}"
