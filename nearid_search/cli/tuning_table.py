"""How the tuning of a search index looks."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearid_search.cli.render import note, print_json, print_whole
from nearid_search.indexer.search.index_recipe import RECIPES
from nearid_search.indexer.search.tune import TuneReport


def print_tuning(report: TuneReport, *, json: bool) -> None:
    """Print what tuning measured, setting by setting, and what it chose."""
    if json:
        print_json(report.as_dict())
        return
    tuning = report.tuning
    if tuning is None:
        why = "every vector is scanned, which loses nothing" if report.backend == "exact" else "its settings are fixed"
        note(f"nothing to tune: {report.gallery} is searched with {report.backend}, and {why}")
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column("settings")
    for heading in ("lost", "recall@10", "p50"):
        table.add_column(heading, justify="right")
    for rung in report.tried:
        words = RECIPES[report.backend].settings_in_words(rung.settings)
        table.add_row(words, f"{rung.lost} of {tuning.queries}", f"{rung.recall_at_10:.3f}", f"{rung.p50_ms:.2f} ms")
    print_whole(table)
    Console(soft_wrap=True).print(
        Text(
            f"{report.backend} with {report.settings_in_words}: loses {tuning.loss:.2f} points (95 %: up to "
            f"{tuning.loss_high:.2f}) of the {100 * tuning.exact_rank1:.2f} of exact search on {tuning.queries} "
            f"look-alikes of {tuning.rows:,} images"
        )
    )
    if report.scanned:
        note(
            f"{tuning.rows:,} images are so few that every vector is scanned although there is an index: "
            "these figures are the scan's; tune again when there are more"
        )
    if not tuning.reached:
        note(f"that is more than {tuning.max_loss}: index again with --backend exact, which loses nothing")
