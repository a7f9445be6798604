"""What a person sees of an evaluation: the plan, a bar, and tables of figures with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from nearid_search.cli.progress import Bars
from nearid_search.cli.render import note, print_json, print_whole
from nearid_search.eval.eval_report import EvalReport
from nearid_search.eval.evaluate import EvalListener
from nearid_search.eval.intervals import Interval
from nearid_search.eval.paired import PairedDifference
from nearid_search.eval.protocols.pairs import slices_line

_TITLES = {"ssr": "SSR", "pa": "PA", "recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "map": "mAP"}
_TITLES |= {"tar@far=0.01": "TAR at FAR 1 %", "tar@far=0.001": "TAR at FAR 0.1 %"}
_TITLES |= {"fnir@fpir=0.01": "FNIR at FPIR 1 %", "fnir@fpir=0.001": "FNIR at FPIR 0.1 %"}


class EvalProgress(Bars):
    """The plan line and a bar on stderr.

    Args:
        quiet: show neither.
    """

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._task = self._bar.add_task("embedding", total=None, visible=False)
        self.listener = EvalListener() if quiet else EvalListener(note, self._embedded, self._judging)

    def _embedded(self, done: int, total: int) -> None:
        self._bar.start()
        self._bar.update(self._task, completed=done, total=total, visible=True)

    def _judging(self, name: str) -> None:
        self._bar.update(self._task, description=f"judging {name}")


def print_eval_report(report: EvalReport, *, json: bool) -> None:
    """Print a report."""
    if json:
        print_json(report.as_dict())
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in report.counts.items())
    out = Console(soft_wrap=True)
    out.print(Text(f"{report.dataset}, {report.split}: {counts}; encoder {report.encoder}"))
    _print_figures("percent, with 95 % intervals over identities", [(b.label, b.figures) for b in report.baselines])
    for line in filter(None, (report.star, report.left_out_line)):
        out.print(Text(line, style="yellow"))
    readouts = report.readouts.items()
    open_set = [(name, {key: value for key, value in each.figures.items() if "fnir" in key}) for name, each in readouts]
    _print_figures("open set, lower is better", open_set)
    _print_figures("verification, higher is better", [(name, each.verification.figures) for name, each in readouts])
    sources = [
        (f"{source}, {name}", {"ssr": each.pairs.per_source[source].ssr, "pa": each.pairs.per_source[source].pa})
        for source in next(iter(report.readouts.values())).pairs.per_source
        for name, each in readouts
    ]
    if sources:
        _print_figures("by distractor source", sources)
        out.print(Text("sources count different samples: compare the rows of one source, not sources", style="dim"))
        if lost := slices_line(next(iter(report.readouts.values())).pairs.per_source):
            out.print(Text(lost, style="yellow"))
    for name, differences in report.differences.items():
        _print_differences(name, differences)
    for failure in report.embedded.dropped.failures:
        note(f"left out {failure.path}: {failure.error}")


def _print_figures(title: str, rows: Sequence[tuple[str, Mapping[str, Interval]]]) -> None:
    names = list(rows[0][1])
    table = Table(show_edge=False, header_style="dim", title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in names:
        table.add_column(_TITLES[name], justify="right", no_wrap=True)
        table.add_column("n", justify="right", no_wrap=True)
    for label, figures in rows:
        cells = [(_percent(figures[name]), f"{figures[name].n:,}") for name in names]
        table.add_row(Text(label), *(Text(cell) for pair in cells for cell in pair))
    print_whole(table)
    for reason in dict.fromkeys(figure.reason for _, figures in rows for figure in figures.values() if figure.reason):
        Console(soft_wrap=True).print(Text(f"-: {reason}", style="dim"))


def _print_differences(name: str, differences: Mapping[str, PairedDifference]) -> None:
    table = Table(show_edge=False, header_style="dim", title=f"{name}, percentage points", title_justify="left")
    for heading in ("figure", "difference", "p", "n", "dropped"):
        table.add_column(heading, justify="left" if heading == "figure" else "right", no_wrap=True)
    for figure, each in differences.items():
        if figure in _TITLES:
            p_value = "-" if np.isnan(each.p_value) else f"{each.p_value:.4f}"
            counts = (f"{each.difference.n:,}", f"{each.n_dropped:,}")
            table.add_row(_TITLES[figure], Text(_percent(each.difference, signed=True)), p_value, *counts)
    print_whole(table)


def _percent(figure: Interval, *, signed: bool = False) -> str:
    if np.isnan(figure.value):
        return "-"
    value = f"{100 * figure.value:{'+' if signed else ''}.2f}"
    return value if np.isnan(figure.low) else f"{value} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]"
