"""What a person sees of agreement with human ratings, and of scored pairs of images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from nearid_search.cli.progress import Bars
from nearid_search.cli.render import note, print_json, print_whole
from nearid_search.eval.agreement import Agreement
from nearid_search.eval.intervals import Interval
from nearid_search.eval.pair_scores import PairScores
from nearid_search.trainer.datasets.problems import first_few


def print_agreement(found: Mapping[str, Agreement], other_folders: Sequence[str], *, json: bool) -> None:
    """Print the correlation of each method and in total, one column a scorer."""
    if json:
        print_json({scorer: agreement.as_dict() for scorer, agreement in found.items()})
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column("method", no_wrap=True)
    for scorer in found:
        table.add_column(Text(scorer), justify="right", no_wrap=True)
    for method in sorted(set().union(*(agreement.per_method for agreement in found.values()))):
        table.add_row(Text(method), *(_method_cell(agreement, method) for agreement in found.values()))
    table.add_section()
    table.add_row("M-H", *(f"{agreement.m_h.value:.3f}" for agreement in found.values()), style="bold")
    table.add_row("95 % interval", *(_ends(agreement.m_h) for agreement in found.values()))
    table.add_row("scores counted", *(f"{agreement.m_h.n:,}" for agreement in found.values()))
    table.add_row("subjects", *(f"{agreement.m_h.n_clusters:,}" for agreement in found.values()))
    print_whole(table)
    for scorer, agreement in found.items():
        _note_gaps(scorer, agreement)
    if len({(agreement.m_h.n, tuple(agreement.per_method)) for agreement in found.values()}) > 1:
        note("the scorers were judged on different prompts: their M-H cannot be ranked")
    if other_folders:
        note(f"no scorers, as they hold no JSON file: {', '.join(other_folders)}")


def print_pair_scores(scores: PairScores, out: Path, *, json: bool) -> None:
    """Print the mean score of each method, and what could not be scored."""
    if json:
        print_json({"out": str(out), **scores.as_dict()})
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column("method", no_wrap=True)
    for heading in ("mean score", "95 % interval", "pairs", "references"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, method in scores.methods.items():
        mean = method.mean
        table.add_row(Text(name), f"{mean.value:.2f}", _ends(mean, decimals=2), f"{mean.n:,}", f"{mean.n_clusters:,}")
    print_whole(table)
    for failure in scores.failures:
        note(f"cannot read {failure.path}: {failure.error}")
    note(f"{scores.num_scored:,} of {scores.num_pairs:,} pairs scored by {scores.encoder} in {out}")


class PairProgress(Bars):
    """A progress bar on stderr.

    Args:
        quiet: show none.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        super().__init__(*columns)
        self._task = self._bar.add_task("scoring", total=None)

    def advance(self, done: int, total: int) -> None:
        """Move the bar."""
        if not self._quiet:
            self._bar.start()
            self._bar.update(self._task, completed=done, total=total)


def _method_cell(agreement: Agreement, method: str) -> str:
    return f"{agreement.per_method[method]:.3f}" if method in agreement.per_method else "-"


def _ends(interval: Interval, *, decimals: int = 3) -> str:
    return "none" if math.isnan(interval.low) else f"{interval.low:.{decimals}f} to {interval.high:.{decimals}f}"


def _note_gaps(scorer: str, agreement: Agreement) -> None:
    if agreement.missing:
        named = [f"{entry.method} {entry.prompt} (not in {', '.join(entry.absent)})" for entry in agreement.missing]
        note(f"{scorer}: {len(named):,} prompts left out: {first_few(named)}")
    if agreement.missing_methods:
        note(f"{scorer}: {len(agreement.missing_methods)} methods not scored: {', '.join(agreement.missing_methods)}")
    if agreement.unrated_methods:
        note(f"{scorer}: {len(agreement.unrated_methods)} methods not rated: {', '.join(agreement.unrated_methods)}")
    if agreement.m_h.reason:
        note(f"{scorer}: no interval, {agreement.m_h.reason}")
