"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_search.config import EncoderConfig
from nearid_search.errors import ConfigError
from nearid_search.indexer.search.backend import BACKENDS
from nearid_search.object_storage.path import object_path


def _gallery(named: str) -> Path:
    """Keep both slashes of an address, which a plain ``Path`` makes one."""
    return object_path(named) or Path(named)


GalleryOption = Annotated[
    Path | None,
    typer.Option(
        "--gallery",
        parser=_gallery,
        metavar="<path>",
        help="Folder of the gallery, or s3://bucket/folder (gs, az). Default: $NEARID_GALLERY, or the nearest .nearid.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
HeadOption = Annotated[
    str | None,
    typer.Option(
        "--head",
        help="Folder of a trained head; 'auto': the one that ships for the backbone, if any; 'none': frozen.",
    ),
]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        "--backbone", help=f"A name from `nearid-search models`. Default: the head's, else {EncoderConfig.backbone}."
    ),
]
BackendOption = Annotated[
    str | None,
    typer.Option(
        "--backend", help=f"How to search: {', '.join(BACKENDS)}. Default: the gallery's, else auto: by the budgets."
    ),
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        help="For vectors and search index, such as 4G. Default: the gallery's, else auto: half of all.",
    ),
]
LatencyOption = Annotated[
    str | None,
    typer.Option("--latency", help="A search may take, such as 10ms. Default: the gallery's, else auto: 10ms."),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]

ForegroundOption = Annotated[
    str | None,
    typer.Option(
        "--foreground", help="none: whole pictures, in a gallery that keeps both. Default: the gallery's own."
    ),
]
RerankOption = Annotated[
    str,
    typer.Option("--rerank", help="auto (what `gallery tune --rerank` has switched on), none, or one of its rungs."),
]
RerankMsOption = Annotated[float, typer.Option("--rerank-ms", help="Milliseconds that re-ranking a query may take.")]


def require_new_file(path: Path | None, *, force: bool) -> None:
    """Say before the work is done, which may take minutes, that its file could not be written.

    Args:
        path: the file to write; None for none.
        force: it may exist already.

    Raises:
        ConfigError: if its folder does not exist, or the file does and ``force`` is not set.
    """
    if path is None:
        return
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent} is no folder: give a file in a folder that exists")
    if path.exists() and not force:
        raise ConfigError(f"{path} exists already: give another name or --force")
