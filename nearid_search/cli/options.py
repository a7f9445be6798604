"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GalleryOption = Annotated[
    Path | None,
    typer.Option("--gallery", help="Folder of the gallery. Default: $NEARID_GALLERY, or the nearest .nearid."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of tables.")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
