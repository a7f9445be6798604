"""``nearid-search index``: build or refresh a gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli.options import (
    BackendOption,
    DeviceOption,
    GalleryOption,
    JsonOption,
    LatencyOption,
    MemoryOption,
)
from nearid_search.config import AnnConfig, ClusterConfig, EncoderConfig, FetchConfig, IndexConfig


def index(
    catalogue: Annotated[
        Path,
        typer.Argument(
            help="Folder of images; its sub-folders name the identities. Or .tar or .parquet files of pictures, one or "
            "a folder of them, or a .txt, .csv or .parquet list of paths or URLs."
        ),
    ],
    gallery: GalleryOption = None,
    identities: Annotated[
        str | None,
        typer.Option(help="CSV or Parquet file with columns path, identity and any metadata; 'folders' to go back."),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help=f"A name from `nearid-search models`. Default: the gallery's, else {EncoderConfig.backbone}."
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="auto, float32, bfloat16 or float16. Default: the gallery's, else auto: the fastest good one."
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            help="Folder of a trained head, 'auto': the one that ships for the backbone, 'none': without. "
            f"Default: the gallery's, else {EncoderConfig.head}."
        ),
    ] = None,
    foreground: Annotated[
        str | None,
        typer.Option(
            help="What is left of a picture: none (all of it), auto (u2net if its file is there, else saliency), mask. "
            f"Default: the gallery's, else {EncoderConfig.foreground}."
        ),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="For --foreground mask: folder with chair/1.png, thing white, for chair/1.jpg.")
    ] = None,
    keep_whole: Annotated[
        bool | None,
        typer.Option(
            "--keep-whole/--no-keep-whole",
            help="Beside painted-over pictures keep the embeddings of the whole ones. Default: as the gallery does.",
        ),
    ] = IndexConfig.keep_whole,
    device: DeviceOption = EncoderConfig.device,
    batch_size: Annotated[int, typer.Option(help="Images an encoder call.", min=1)] = IndexConfig.batch_size,
    decoders: Annotated[int, typer.Option(help="Decoding threads; 0: one a core.", min=0)] = IndexConfig.decoders,
    keep_missing: Annotated[
        bool, typer.Option("--keep-missing", help="Keep images whose files are gone.")
    ] = IndexConfig.keep_missing,
    backend: BackendOption = AnnConfig.backend,
    memory: MemoryOption = AnnConfig.memory,
    latency: LatencyOption = AnnConfig.latency,
    allow_fetch: Annotated[
        bool, typer.Option("--allow-fetch", help="Fetch the public http and https addresses that a list names.")
    ] = False,
    refetch: Annotated[
        bool, typer.Option("--refetch", help="With --allow-fetch: ask again for addresses whose pictures are known.")
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(help="Encode on the workers of a Ray cluster: 'local' starts one here, 'auto', host:port."),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="With --ray: processes that encode; 0: one a GPU, else one a core.", min=0)
    ] = ClusterConfig.workers,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the gallery anew; the old one answers until that is done.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    json: JsonOption = False,
) -> None:
    """Build a gallery from a catalogue, or bring it up to date; prints the plan first.

    Example: nearid-search index ./catalog
    """
    from nearid_search.cli import render
    from nearid_search.encoder import describe_encoder
    from nearid_search.indexer.catalogue.build import index_catalogue
    from nearid_search.indexer.encoder_choice import find_encoder_config

    cluster = None if ray is None else ClusterConfig(address=ray, workers=workers, device=device)
    fetch = FetchConfig() if allow_fetch else None
    search = AnnConfig(backend=backend, memory=memory, latency=latency)
    encoder_config = find_encoder_config(
        gallery,
        backbone=backbone,
        dtype=dtype,
        device=device,
        head=head,
        foreground=foreground,
        masks=masks,
        fresh=rebuild,
    )
    encoder = describe_encoder(encoder_config)
    if dry_run:
        render.print_dry_run(catalogue, gallery, identities, encoder=encoder, rebuild=rebuild, json=json)
        return
    config = IndexConfig(batch_size=batch_size, decoders=decoders, keep_missing=keep_missing, keep_whole=keep_whole)
    with render.IndexProgress(quiet=json, encoder=encoder) as progress:
        report = index_catalogue(
            catalogue,
            gallery=gallery,
            identities=identities,
            encoder_config=encoder_config,
            config=config,
            fetch=fetch,
            refetch=refetch,
            cluster=cluster,
            rebuild=rebuild,
            on_plan=progress.show_plan,
            on_progress=progress.advance,
            search=search,
            on_choice=progress.show_choice,
            on_step=progress.show_step,
        )
    render.print_index_report(report, json=json)
