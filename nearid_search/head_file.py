"""A trained head on disk: its weights, and a manifest that says what they are and what they were trained for.

Both files are checked before anything is believed: the manifest carries the SHA-256 of its own content, and that of
the weights. Reading needs no torch and executes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.durable_file import write_files
from nearid_search.errors import ConfigError, WeightsError
from nearid_search.head_spec import Arrays, HeadSpec
from nearid_search.sealed_json import digest, seal, unseal

FORMAT_VERSION = 1
WEIGHTS_NAME = "head.safetensors"
MANIFEST_NAME = "head.json"
_ADVICE = "restore the folder from a copy or train the head again"


@dataclass(frozen=True, kw_only=True)
class HeadManifest:
    """What a head says about itself.

    Attributes:
        spec: sizes.
        backbone: text that opens the backbone it was trained on.
        backbone_weights: ``weights_fingerprint`` of that backbone's spec; the head reads no other's tokens.
        data_hash: of the dataset it was trained on.
        split_sizes: identities in each split of the dataset.
        seed: of the training.
        config: the training's resolved configuration, JSON-ready.
        metrics: on the validation split when it was saved, JSON-ready.
        created_at: ISO 8601 time in UTC.
        made_by: version of this library that trained it.
        weights_sha256: of the weights file; ``save_head`` fills it in.
        format_version: layout of the folder.
    """

    spec: HeadSpec
    backbone: str
    backbone_weights: str
    data_hash: str
    split_sizes: dict[str, int]
    seed: int
    created_at: str
    made_by: str
    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""
    format_version: int = FORMAT_VERSION

    @property
    def fingerprint(self) -> str:
        """Short stable name of what the head computes: ``map:`` and 12 hex digits, from its weights and its spec."""
        return f"map:{digest({'weights_sha256': self.weights_sha256, 'spec': self.spec.as_dict()})[:12]}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return {**asdict(self), "spec": self.spec.as_dict()}


@dataclass(frozen=True)
class LoadedHead:
    """A head read from disk.

    Attributes:
        spec: sizes.
        arrays: float32 weights by name.
        manifest: what it says about itself.
        fingerprint: names what it computes.
    """

    spec: HeadSpec
    arrays: dict[str, NDArray[np.float32]]
    manifest: HeadManifest
    fingerprint: str


def save_head(folder: Path, arrays: Arrays, manifest: HeadManifest) -> HeadManifest:
    """Write a head, over an earlier one if there is one.

    Both files are complete on disk before either takes its name, so a full disk leaves the earlier head whole. A crash
    between the two renames leaves a pair that ``load_head`` refuses.

    Args:
        folder: made if absent.
        arrays: finite float32 weights by name, as ``manifest.spec`` lists them.
        manifest: what to say about them.

    Returns:
        The manifest as written.

    Raises:
        ConfigError: if the manifest holds a value that JSON cannot.
        WeightsError: if the weights do not fit the spec or are not finite, or the folder cannot be written.
    """
    from safetensors.numpy import save

    manifest.spec.check_arrays(arrays, "weights to save")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise WeightsError(f"weights to save: {name!r} holds NaN or infinity; the head was not written")
    weights = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    manifest = replace(manifest, weights_sha256=hashlib.sha256(weights).hexdigest())
    try:
        document = seal(manifest.as_dict())
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a head's manifest must be JSON: {error}; give plain finite values") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_files({folder / WEIGHTS_NAME: weights, folder / MANIFEST_NAME: document})
    except OSError as error:
        raise WeightsError(f"{folder}: the head cannot be written ({error.strerror or error})") from error
    return manifest


def load_head(folder: Path, *, backbone_weights: str | None = None) -> LoadedHead:
    """Read a head and make sure it is what was saved.

    Args:
        folder: written by ``save_head``.
        backbone_weights: ``weights_fingerprint`` of the backbone whose tokens it will read; None skips that check.

    Returns:
        The head.

    Raises:
        WeightsError: if a file is missing, altered or of a later format, or the head belongs to another backbone.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    manifest = read_head_manifest(folder)
    if backbone_weights is not None and manifest.backbone_weights != backbone_weights:
        raise WeightsError(
            f"{folder}: the head was trained on {manifest.backbone_weights}, but the backbone is "
            f"{backbone_weights}: open {manifest.backbone} or train a head on this backbone"
        )
    path = folder / WEIGHTS_NAME
    weights = _read(path)
    found = hashlib.sha256(weights).hexdigest()
    if found != manifest.weights_sha256:
        raise WeightsError(f"{path}: SHA-256 is {found}, {MANIFEST_NAME} says {manifest.weights_sha256}: {_ADVICE}")
    try:
        arrays = load(weights)
    except SafetensorError as error:
        raise WeightsError(f"{path}: cannot be read as safetensors ({error}): {_ADVICE}") from error
    manifest.spec.check_arrays(arrays, str(path))
    return LoadedHead(manifest.spec, arrays, manifest, manifest.fingerprint)


def read_head_manifest(folder: Path) -> HeadManifest:
    """Read what a head says about itself, without its weights.

    Args:
        folder: written by ``save_head``.

    Raises:
        WeightsError: if the manifest is missing, altered or of a later format.
    """
    path = folder / MANIFEST_NAME
    try:
        document = unseal(_read(path))
    except ValueError as error:
        raise WeightsError(f"{path}: {error}: {_ADVICE}") from error
    if document.get("format_version") != FORMAT_VERSION:
        raise WeightsError(
            f"{path}: has format {document.get('format_version')}, this version reads format {FORMAT_VERSION}: "
            "upgrade nearid-search or train the head again"
        )
    if set(document) != {entry.name for entry in fields(HeadManifest)}:
        raise WeightsError(f"{path}: has the fields {sorted(document)}, which are not a head's: {_ADVICE}")
    try:
        return HeadManifest(spec=HeadSpec.from_dict(document.pop("spec")), **document)
    except (ConfigError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path}: {error}: {_ADVICE}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); expected a head that `nearid-search train` wrote"
        ) from error
