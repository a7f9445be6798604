"""``nearid-search agreement``: hold scores against human ratings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli.options import JsonOption


def agreement(
    ratings: Annotated[Path, typer.Argument(help="Folder of ratings and scores, laid out as DreamBench++ does.")],
    category: Annotated[str, typer.Option("--category", help="Prompts to count, e.g. object or style.")] = "object",
    json: JsonOption = False,
) -> None:
    """Correlate each scorer's scores with human ratings of the same generated images (M-H).

    Example: nearid-search agreement ./ratings --category style
    """
    from nearid_search.cli.agreement_tables import print_agreement
    from nearid_search.eval.agreement import human_agreement
    from nearid_search.eval.ratings import read_ratings

    read = read_ratings(ratings, category=category)
    print_agreement(human_agreement(read), read.other_folders, json=json)
