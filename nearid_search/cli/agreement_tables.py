"""What a person sees of agreement with human ratings, and of scored pairs of images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearid_search.cli.render import note, print_json, print_whole
from nearid_search.eval.agreement import Agreement
from nearid_search.eval.intervals import Interval
from nearid_search.eval.pair_scores import PairScores
from nearid_search.trainer.datasets.problems import first_few

_LEFT_OUT = {
    "missing": "prompts left out",
    "missing_methods": "methods not scored",
    "unrated_methods": "methods not rated",
}


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
    for what in ("missing", "missing_methods", "unrated_methods"):
        counts = [len(getattr(agreement, what)) for agreement in found.values()]
        if any(counts):
            table.add_row(_LEFT_OUT[what], *(f"{count:,}" for count in counts))
    print_whole(table)
    if len({_judged(scorer, agreement) for scorer, agreement in found.items()}) > 1:
        _beside("the scorers were judged on different prompts: their M-H cannot be ranked")
    for scorer, agreement in found.items():
        _note_gaps(scorer, agreement)
    if other_folders:
        note(f"no scorers, as they hold no JSON file: {', '.join(other_folders)}")


def print_pair_scores(scores: PairScores, out: Path, *, json: bool) -> None:
    """Print the mean score of each method, and what could not be scored."""
    if json:
        print_json({"out": str(out), **scores.as_dict()})
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column("method", no_wrap=True)
    for heading in ("mean score", "95 % interval", "pairs", "references", "left out"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, method in scores.methods.items():
        mean = method.mean
        value = f"{mean.value:.2f}" if mean.n else "-"
        counts = (mean.n, mean.n_clusters, method.n_left_out)
        table.add_row(Text(name), value, _ends(mean, decimals=2), *(f"{count:,}" for count in counts))
    print_whole(table)
    methods = scores.methods.values()
    if len({method.mean.n for method in methods}) > 1 or (len(methods) > 1 and scores.num_scored < scores.num_pairs):
        _beside("the methods were scored on different pairs: their means cannot be ranked")
    for failure in scores.failures:
        note(f"cannot read {failure.path}: {failure.error}")
    note(f"{scores.num_scored:,} of {scores.num_pairs:,} pairs scored by {scores.encoder} in {out}")


def _judged(scorer: str, agreement: Agreement) -> tuple[object, ...]:
    """Return what tells scorers apart that were judged on the same methods and prompts from those that were not."""
    unscored = frozenset((each.method, each.prompt) for each in agreement.missing if each.absent == (scorer,))
    return tuple(agreement.methods), unscored


def _beside(line: str) -> None:
    """Print what must stand beside the figures, on stdout as they do."""
    Console(soft_wrap=True).print(Text(line, style="yellow"))


def _method_cell(agreement: Agreement, method: str) -> str:
    if method not in agreement.methods:
        return "-"
    figure = agreement.methods[method]
    ends = "" if math.isnan(figure.low) else f" [{figure.low:.2f}, {figure.high:.2f}]"
    return f"{figure.value:.3f}{ends}"


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
