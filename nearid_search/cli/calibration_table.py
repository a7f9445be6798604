"""What a person sees of a calibration: verdicts and error rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearid_search.cli.figures import figure_in_words
from nearid_search.cli.render import note, print_json, print_whole
from nearid_search.eval.calibrate import CalibrationReport


def print_calibration(report: CalibrationReport, *, json: bool) -> None:
    """Print what calibrating found; how far it is to be believed goes to stderr."""
    found = report.calibration
    if not found.claimed:
        note(
            f"{found.strangers:,} strangers cannot show a rate of {found.fpir:g}: it takes {3 / found.fpir:,.0f}; "
            "the threshold is where they put it, and no rate is claimed"
            f" (they can show --fpir {math.ceil(3000 / found.strangers) / 1000:g})"
        )
    if json:
        print_json(report.as_dict())
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column(f"of identities left out of fit and threshold, {found.folds} parts")
    for heading in ("n", "match", "ambiguous", "unknown"):
        table.add_column(heading, justify="right")
    for name, count in (("known", found.known), ("strangers", found.strangers)):
        shares = [f"{share:.3f}" for share in found.verdicts[name].values()]
        table.add_row(name, f"{count:,}", *shares)
    print_whole(table)
    out = Console(soft_wrap=True)
    for line in calibration_lines(found.figures, found.model.threshold, found.fpir):
        out.print(Text(line))


def calibration_lines(figures: Mapping[str, Mapping[str, Any]], threshold: float, fpir: float) -> list[str]:
    """Return the operating point and the errors at it, as lines for people."""
    return [
        f"match from a confidence of {threshold:.3f}, for at most {fpir:g} of strangers",
        f"missed (FNIR) {figure_in_words(figures['fnir'])}",
        f"strangers called a match (FPIR) {figure_in_words(figures['fpir'])}",
        f"known things called a match of another (false match) {figure_in_words(figures['false_match'])}",
        f"expected calibration error {figure_in_words(figures['ece'])}",
    ]
