"""``nearid-search gallery``: look at one, tune its search index, bring embeddings in and out, publish, correct."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli import care, corrections
from nearid_search.cli.options import (
    BackendOption,
    DeviceOption,
    ForegroundOption,
    GalleryOption,
    JsonOption,
    LatencyOption,
    MemoryOption,
    RerankMsOption,
    require_new_file,
)
from nearid_search.cli.publish import publish
from nearid_search.config import AnnConfig, EncoderConfig, QueryConfig, TuneConfig
from nearid_search.errors import ConfigError
from nearid_search.reports import ExportReport, TableExportReport

app = typer.Typer(
    help="Look at a gallery, correct it, tune its search index, bring embeddings in and out.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def info(
    gallery: GalleryOption = None,
    failures: Annotated[bool, typer.Option("--failures", help="Also list files that cannot be indexed.")] = False,
    json: JsonOption = False,
) -> None:
    """Say what a gallery holds and which encoder made it.

    Example: nearid-search gallery info --failures
    """
    from nearid_search.cli import render
    from nearid_search.indexer.gallery import Gallery

    opened = Gallery.open(gallery)
    render.print_gallery_info(opened.info(), opened.failures() if failures else None, json=json)


@app.command("list")
def list_identities(
    gallery: GalleryOption = None,
    views: Annotated[bool, typer.Option("--views", help="Also list the pictures of each.")] = False,
    json: JsonOption = False,
) -> None:
    """List the identities and how many images each has.

    Example: nearid-search gallery list --views
    """
    from nearid_search.cli.identity_table import print_identities
    from nearid_search.indexer.gallery import Gallery

    opened = Gallery.open(gallery)
    print_identities(opened.identities(), opened.views() if views else None, json=json)


@app.command("import")
def import_embeddings(
    embeddings: Annotated[
        Path, typer.Argument(help="Parquet file: identity, embedding; optional path, key and any metadata.")
    ],
    gallery: GalleryOption = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="What made the embeddings: a gallery's encoder fingerprint, or any name. Default: what the file says."
        ),
    ] = None,
    backend: BackendOption = AnnConfig.backend,
    memory: MemoryOption = AnnConfig.memory,
    latency: LatencyOption = AnnConfig.latency,
    json: JsonOption = False,
) -> None:
    """Add embeddings made elsewhere to a gallery, or make a gallery of them; it answers `query --embeddings`.

    Example: nearid-search gallery import embeddings.parquet --gallery shop
    """
    from nearid_search.cli.embeddings_progress import EmbeddingsProgress, print_import_report
    from nearid_search.indexer.exchange import embedding_import

    with EmbeddingsProgress(quiet=json) as progress:
        report = embedding_import.import_embeddings(
            embeddings,
            gallery=gallery,
            encoder=encoder,
            on_plan=progress.show_plan,
            on_progress=progress.imported,
            search=AnnConfig(backend=backend, memory=memory, latency=latency),
            on_choice=progress.show_choice,
            on_step=progress.show_step,
        )
    print_import_report(report, json=json)


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="The file to write; for fiftyone a folder.")],
    what: Annotated[str, typer.Option(help="embeddings, images, identities, corrections or fiftyone.")] = "embeddings",
    form: Annotated[
        str | None,
        typer.Option("--format", help="csv, jsonl or parquet; embeddings: parquet. Default: by the file's suffix."),
    ] = None,
    gallery: GalleryOption = None,
    where: Annotated[str | None, typer.Option(help="SQL condition on metadata, e.g. \"bin = 'A3'\".")] = None,
    foreground: ForegroundOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    json: JsonOption = False,
) -> None:
    """Write embeddings with identity, path, key and metadata, a table, or a dataset that FiftyOne opens.

    Example: nearid-search gallery export exported.parquet
    """
    from nearid_search.cli.embeddings_progress import EmbeddingsProgress, print_export_report
    from nearid_search.indexer.exchange.embedding_export import export_embeddings
    from nearid_search.indexer.exchange.fiftyone_export import export_fiftyone
    from nearid_search.indexer.exchange.table_export import export_table

    require_new_file(out, force=force)
    if what != "embeddings" and foreground is not None:
        raise ConfigError(f"--foreground chooses between embeddings: leave it out for {what}")
    if form is not None and (what == "fiftyone" or (what == "embeddings" and form != "parquet")):
        written = (
            "fiftyone is one folder" if what == "fiftyone" else f"embeddings are written as parquet, not as {form}"
        )
        raise ConfigError(f"{written}: leave out --format")
    with EmbeddingsProgress(quiet=json) as progress:
        if what == "embeddings":
            printed: ExportReport | TableExportReport = export_embeddings(
                out, gallery=gallery, where=where, foreground=foreground, on_progress=progress.exported
            )
        elif what == "fiftyone":
            printed = export_fiftyone(out, gallery=gallery, where=where, on_progress=progress.exported)
        else:
            printed = export_table(out, what, form=form, gallery=gallery, where=where, on_progress=progress.exported)
    print_export_report(printed, json=json)


@app.command()
def tune(
    gallery: GalleryOption = None,
    rerank: Annotated[bool, typer.Option("--rerank", help="Measure re-ranking instead; use what helps.")] = False,
    rerank_ms: RerankMsOption = QueryConfig.rerank_ms,
    queries: Annotated[int, typer.Option(help="Stored views to ask.", min=1)] = TuneConfig.queries,
    seed: Annotated[int, typer.Option(help="Of the sample they are taken from.")] = TuneConfig.seed,
    max_loss: Annotated[
        float, typer.Option(help="Points of 100 of identity rank-1 that the index may lose.")
    ] = TuneConfig.max_loss,
    device: DeviceOption = EncoderConfig.device,
    json: JsonOption = False,
) -> None:
    """Have the search index look far enough to keep look-alikes apart, or measure which re-ranking helps.

    Example: nearid-search gallery tune --rerank
    """
    from nearid_search.cli.rerank_tuning import run_rerank_tuning
    from nearid_search.cli.tuning_table import print_tuning
    from nearid_search.indexer.gallery import Gallery
    from nearid_search.indexer.search.tune import tune_gallery

    config = TuneConfig(queries=queries, seed=seed, max_loss=max_loss)
    if rerank:
        run_rerank_tuning(gallery, config, budget_ms=rerank_ms, device=device, json=json)
        return
    print_tuning(tune_gallery(Gallery.open(gallery), config), json=json)


app.command()(publish)
corrections.register(app)
care.register(app)
