"""How an explanation looks on a terminal."""

from __future__ import annotations

from itertools import pairwise

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearid_search.cli.render import print_whole
from nearid_search.explanation import Explanation, Heat

_SHADES = " ░▒▓█"
_COLUMNS = 16


def print_explanation(explanation: Explanation) -> None:
    """Print why an answer is what it is, a fact a line, and a coarse heat map."""
    table = Table(show_header=False, show_edge=False)
    for name, words in _facts(explanation):
        table.add_row(Text(name, style="dim"), Text(words))
    print_whole(table)
    out = Console(soft_wrap=True)
    for said in explanation.pictures:
        if said.heat is not None:
            of = f" of {said.query}" if len(explanation.pictures) > 1 else ""
            line = f"  regions that carried the score{of} (darker: it falls more without them)"
            out.print(Text(line, style="dim"))
            for shades in shaded(said.heat):
                out.print(Text(f"  {shades}"))


def _facts(explanation: Explanation) -> list[tuple[str, str]]:
    facts = []
    if explanation.other is not None:
        facts.append(
            ("nearest other", f"{explanation.other}  {explanation.other_score:.3f}, {explanation.margin:+.3f} behind")
        )
    facts.append(("views that agree", f"{explanation.views_above} of {explanation.views} score above every other"))
    for said in explanation.pictures:
        if len(explanation.pictures) > 1:
            facts.append(("picture", f"{said.query}  {said.score:.3f}"))
        if (share := said.background) is not None:
            facts += [
                ("the thing alone", f"{share.foreground_score:.3f} of {said.score:.3f} (by {share.source})"),
                (
                    "background alone",
                    f"{share.background_score:.3f}; it has {1 - share.area:.0%} of the area"
                    + ("" if share.attention is None else f", {share.attention:.0%} of the attention"),
                ),
            ]
        if (whole := said.whole_score) is not None:
            facts.append(("the whole pictures", f"{whole:.3f}, {whole - said.score:+.3f} by their backgrounds"))
        facts += [("not said", remark) for remark in said.remarks]
    return facts


def shaded(heat: Heat, *, columns: int = _COLUMNS) -> list[str]:
    """Draw a heat map in characters, two to a cell; what speaks against the identity is left blank.

    Args:
        heat: (G, G).
        columns: cells a side, at most; where there are more regions, a cell shows the strongest of its own.
    """
    side = min(columns, len(heat))
    spans = list(pairwise(len(heat) * place // side for place in range(side + 1)))
    cells = [[max(max(row[left:right]) for row in heat[top:low]) for left, right in spans] for top, low in spans]
    most = max(max(row) for row in cells)
    shades = len(_SHADES) - 1
    return [
        "".join(2 * _SHADES[round(shades * max(0.0, cell) / most)] if most > 0 else "  " for cell in row)
        for row in cells
    ]
