"""The trained heads inside this package, by the backbone whose tokens they read."""

from __future__ import annotations

from pathlib import Path

from nearid_search.errors import WeightsError
from nearid_search.head_file import MANIFEST_NAME, read_head_manifest

AUTO_HEAD = "auto"
"""Stands for the head that ships for a backbone, and for the frozen readout where none does."""

NO_HEAD = "none"
"""Stands for the frozen readout."""

SHIPPED_HEADS = Path(__file__).parent / "heads"
"""Folder of the heads that ship, each in a folder of its own; where there is none, none ships."""


def list_shipped_heads(shipped: Path = SHIPPED_HEADS) -> dict[str, Path]:
    """Return the folder of each shipped head by the name of its backbone.

    Args:
        shipped: where they lie.

    Raises:
        WeightsError: if a manifest is damaged, or two heads are of one backbone.
    """
    found: dict[str, Path] = {}
    for folder in sorted(path.parent for path in shipped.glob(f"*/{MANIFEST_NAME}")):
        first = found.setdefault(read_head_manifest(folder).backbone, folder)
        if first != folder:
            raise WeightsError(f"{first} and {folder} are heads of one backbone: only one can ship, remove the other")
    return found


def find_head(head: str | Path | None, backbone: str, *, shipped: Path = SHIPPED_HEADS) -> Path | None:
    """Return the folder of a head.

    Args:
        head: a folder, ``AUTO_HEAD``, or ``NO_HEAD`` or None for the frozen readout.
        backbone: name of the backbone, as ``registry.canonical_name`` gives it.
        shipped: where the heads lie that ship.

    Returns:
        The folder, or None for the frozen readout.

    Raises:
        WeightsError: if a shipped head's manifest is damaged.
    """
    if head is None or head == NO_HEAD:
        return None
    return list_shipped_heads(shipped).get(backbone) if head == AUTO_HEAD else Path(head)
