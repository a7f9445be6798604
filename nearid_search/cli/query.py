"""``nearid-search query``: ask which identity a picture shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli.options import DeviceOption, GalleryOption, JsonOption, require_new_file
from nearid_search.config import EncoderConfig, QueryConfig
from nearid_search.indexer.backend import BACKENDS


def query(
    images: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    k: Annotated[int, typer.Option("-k", help="Identities to list.", min=1)] = QueryConfig.k,
    where: Annotated[str | None, typer.Option(help="SQL condition on metadata, e.g. \"bin = 'A3'\".")] = None,
    gallery: GalleryOption = None,
    device: DeviceOption = EncoderConfig.device,
    backend: Annotated[str, typer.Option(help=f"One of {', '.join(BACKENDS)}.")] = QueryConfig.backend,
    html: Annotated[Path | None, typer.Option(help="Write query and best views into one HTML file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the HTML file.")] = False,
    json: JsonOption = False,
) -> None:
    """Rank the identities that a picture may show, with margin and verdict.

    Example: nearid-search query photo.jpg -k 3
    """
    from nearid_search.cli import render
    from nearid_search.engine import SearchEngine
    from nearid_search.errors import UnreadableImageError
    from nearid_search.indexer.scan import list_query_images
    from nearid_search.records import Failure, QueryAnswer

    require_new_file(html, force=force)
    paths = list_query_images(images)
    engine = SearchEngine.open(gallery, device=device, backend=backend, on_warning=render.note)
    answers: list[QueryAnswer] = []
    failures: list[Failure] = []
    for answer in engine.query_many(paths, k=k, where=where):
        if isinstance(answer, Failure):
            failures.append(answer)
            continue
        render.print_answer(answer, json=json)
        if html is not None:
            answers.append(answer)
    if html is not None:
        from nearid_search.strip import write_strip

        write_strip(html, answers, engine.gallery)
        render.note(f"pictures: {html}")
    for failure in failures[1:]:
        render.note(f"cannot answer {failure.path}: {failure.error}")
    if failures:
        raise UnreadableImageError(failures[0].path, failures[0].error)
