"""``nearid-search calibrate``: fit the verdict on the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli.options import GalleryOption, JsonOption, require_new_file
from nearid_search.config import CalibrateConfig, QueryConfig
from nearid_search.indexer.search.backend import BACKENDS


def calibrate(
    gallery: GalleryOption = None,
    fpir: Annotated[
        float, typer.Option(help="Share of strangers, things not in the gallery, that may be called a match.")
    ] = CalibrateConfig.fpir,
    queries: Annotated[
        int, typer.Option(help="Stored views to ask as known things, and as many as strangers.", min=1)
    ] = CalibrateConfig.queries,
    seed: Annotated[int, typer.Option(help="Of the views, the folds and the intervals.")] = CalibrateConfig.seed,
    backend: Annotated[str, typer.Option(help=f"One of {', '.join(BACKENDS)}.")] = QueryConfig.backend,
    html: Annotated[Path | None, typer.Option(help="Write reliability, scores and error rates into a page.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the HTML file.")] = False,
    json: JsonOption = False,
) -> None:
    """Fit the verdict on the gallery's own views: match, ambiguous or unknown, and how likely it is right.

    Example: nearid-search calibrate --gallery warehouse --fpir 0.01
    """
    from nearid_search.cli import render
    from nearid_search.cli.calibration_table import print_calibration
    from nearid_search.cli.progress import OneBar
    from nearid_search.eval.calibrate import calibrate_gallery
    from nearid_search.indexer.gallery import Gallery

    require_new_file(html, force=force)
    config = CalibrateConfig(fpir=fpir, queries=queries, seed=seed)
    with OneBar("asking its views", quiet=json) as progress:
        report = calibrate_gallery(
            Gallery.open(gallery), config, backend=backend, on_asked=progress.advance, on_warning=render.note
        )
    print_calibration(report, json=json)
    if html is not None:
        from nearid_search.eval.report.calibration_page import write_calibration_page

        write_calibration_page(report, html)
        render.note(f"report: {html}")
