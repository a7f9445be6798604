"""``nearid-search query``: ask which identity a picture shows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nearid_search.cli.options import (
    DeviceOption,
    ForegroundOption,
    GalleryOption,
    JsonOption,
    RerankMsOption,
    RerankOption,
    require_new_file,
)
from nearid_search.config import EncoderConfig, QueryConfig
from nearid_search.errors import EmbeddingsError, UnreadableImageError
from nearid_search.indexer.search.backend import BACKENDS
from nearid_search.records import Failure, QueryAnswer

EXIT_CODES = {"match": 0, "unknown": 3, "ambiguous": 4}
"""What ``--exit-code`` makes of a verdict; of several the highest, so that 0 means that all are a match."""

if TYPE_CHECKING:
    from nearid_search.engine import SearchEngine


def query(
    images: Annotated[list[Path] | None, typer.Argument(help="Pictures, or folders of pictures.")] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(help="Instead of pictures a Parquet file: embedding, optional path; one answer a row."),
    ] = None,
    same: Annotated[
        bool, typer.Option("--same", help="The pictures show one thing: give one answer for all of them.")
    ] = False,
    k: Annotated[int, typer.Option("-k", help="Identities to list.", min=1)] = QueryConfig.k,
    where: Annotated[str | None, typer.Option(help="SQL condition on metadata, e.g. \"bin = 'A3'\".")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Ask the gallery as it was at a version, tag or ISO 8601 time.")
    ] = None,
    foreground: ForegroundOption = None,
    gallery: GalleryOption = None,
    device: DeviceOption = EncoderConfig.device,
    backend: Annotated[str, typer.Option(help=f"One of {', '.join(BACKENDS)}.")] = QueryConfig.backend,
    rerank: RerankOption = QueryConfig.rerank,
    rerank_ms: RerankMsOption = QueryConfig.rerank_ms,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say why: the nearest other, views that agree, regions, background.")
    ] = False,
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder of your masks, photo.png for photo.jpg: for --explain, or a gallery of them."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write query and best views into one HTML file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the HTML file.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 0 for match, 3 for unknown, 4 for ambiguous; the highest.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Rank the identities that a picture may show, with margin and verdict.

    Example: nearid-search query photo.jpg -k 3
    """
    from nearid_search.cli import render
    from nearid_search.engine import SearchEngine
    from nearid_search.explain import explain_answers
    from nearid_search.indexer.catalogue.scan import list_query_images

    if bool(images) == (embeddings is not None):
        problem = "give pictures or --embeddings, not both" if images else "give pictures, or --embeddings FILE"
        raise typer.BadParameter(problem, param_hint="IMAGES")
    if same and embeddings is not None:
        raise typer.BadParameter("give pictures, not --embeddings", param_hint="--same")
    if explain and embeddings is not None:
        raise typer.BadParameter("only an answer to pictures can be explained", param_hint="--explain")
    require_new_file(html, force=force)
    opened = partial(
        SearchEngine.open,
        gallery,
        device=device,
        backend=backend,
        as_of=as_of,
        foreground=foreground,
        rerank=rerank,
        rerank_ms=rerank_ms,
        on_warning=render.note,
    )
    if embeddings is None:
        paths = list_query_images(images or [])
        engine = opened(masks=masks)
        if same:
            answers: Iterator[QueryAnswer | Failure] = iter([engine.query_set(paths, k=k, where=where)])
        else:
            answers = engine.query_many(paths, k=k, where=where)
        if explain:
            answers = explain_answers(engine, answers, where=where, masks=masks)
    else:
        engine = opened(encode=False)
        answers = engine.query_embeddings(embeddings, k=k, where=where)
    codes: list[int] = []
    failures = _print_answers(answers, engine, html, codes, json=json)
    if failures and embeddings is None:
        raise UnreadableImageError(failures[0].path, failures[0].error)
    if failures:
        raise EmbeddingsError(f"{embeddings}: cannot answer {failures[0].path}: {failures[0].error}")
    if exit_code and codes:
        raise typer.Exit(max(codes))


def _print_answers(
    answers: Iterator[QueryAnswer | Failure],
    engine: SearchEngine,
    html: Path | None,
    codes: list[int],
    *,
    json: bool,
) -> list[Failure]:
    """Print each answer as it comes and add its exit code; return the queries without one, all but the first noted."""
    from nearid_search.cli import render
    from nearid_search.cli.explanation_table import print_explanation

    shown: list[QueryAnswer] = []
    failures: list[Failure] = []
    for answer in answers:
        if isinstance(answer, Failure):
            failures.append(answer)
            continue
        render.print_answer(answer, json=json)
        codes.append(EXIT_CODES[answer.verdict])
        if answer.explanation is not None and not json:
            print_explanation(answer.explanation)
        if html is not None:
            shown.append(answer)
    if html is not None:
        from nearid_search.strip import write_strip

        write_strip(html, shown, engine.in_force.gallery)
        render.note(f"pictures: {html}")
    for failure in failures[1:]:
        render.note(f"cannot answer {failure.path}: {failure.error}")
    return failures
