"""Imports a published NearID checkpoint: one file becomes a backbone and the head that reads it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from nearid_search import __version__
from nearid_search.backbones.registry import open_backbone
from nearid_search.backbones.siglip_backbone import save_tower
from nearid_search.backbones.torch_extra import require_torch
from nearid_search.errors import WeightsError
from nearid_search.head_file import MANIFEST_NAME, HeadManifest, save_head
from nearid_search.nearid_config import read_settings
from nearid_search.nearid_layout import split_checkpoint
from nearid_search.weights import file_sha256, load_state

BACKBONE_NAME = "backbone.safetensors"


@dataclass(frozen=True, kw_only=True)
class ImportedCheckpoint:
    """What an import wrote.

    Attributes:
        folder: holds backbone and head; give it wherever a head is asked for.
        backbone: text that opens the backbone.
        backbone_fingerprint: of that backbone, in float32.
        head: fingerprint of the head.
    """

    folder: str
    backbone: str
    backbone_fingerprint: str
    head: str

    def as_dict(self) -> dict[str, str]:
        """Return the fields as JSON-ready values."""
        return asdict(self)


def import_nearid_checkpoint(
    file: str | Path, out_folder: str | Path, *, num_heads: int | None = None
) -> ImportedCheckpoint:
    """Turn a checkpoint in the Hugging Face layout into a backbone and a head.

    What tensors do not say is taken from the configuration files beside the checkpoint (see ``nearid_config``).
    Nothing is executed, and transformers is not needed.

    Args:
        file: a ``.safetensors`` file such as ``Aleksandar/nearid-siglip2`` publishes.
        out_folder: for both parts; made if absent.
        num_heads: attention heads; None finds them as above.

    Returns:
        What was written.

    Raises:
        MissingExtraError: if torch or timm is not installed.
        WeightsError: if the file is not such a checkpoint, the files beside it contradict it, the number of attention
            heads cannot be known, or the folder holds a head already or cannot be written.
    """
    require_torch("importing a NearID checkpoint", "timm", "safetensors")
    file, folder = Path(file), Path(os.path.abspath(out_folder))
    if (folder / MANIFEST_NAME).exists():
        raise WeightsError(f"{folder}: holds a head already; give another folder")
    parts = split_checkpoint(load_state(file), file)
    settings = read_settings(file, parts.sizes, num_heads)
    save_tower(folder / BACKBONE_NAME, parts.tower, settings)
    backbone = f"siglip:{folder / BACKBONE_NAME}"
    spec = open_backbone(backbone, device="cpu", dtype="float32").spec
    manifest = HeadManifest(
        spec=parts.sizes.head_spec(settings.num_heads),
        backbone=backbone,
        backbone_weights=spec.weights_fingerprint,
        data_hash="",  # the checkpoint does not say what it was trained on, nor how
        split_sizes={},
        seed=0,
        config={"imported": file.name, "imported_sha256": file_sha256(file)},
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        made_by=__version__,
    )
    head = save_head(folder, parts.head, manifest).fingerprint
    return ImportedCheckpoint(folder=str(folder), backbone=backbone, backbone_fingerprint=spec.fingerprint, head=head)
