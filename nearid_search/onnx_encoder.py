"""Runs an exported encoder: one ONNX file that holds backbone, identity head and what must be known about both."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.config import EncoderConfig
from nearid_search.errors import ConfigError, WeightsError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.shipped_heads import AUTO_HEAD, NO_HEAD
from nearid_search.similarity import Embeddings, unit_rows
from nearid_search.weights import file_sha256

ONNX_FAMILY = "onnx:"
FORMAT = "nearid-search encoder 1"
INPUT = "input_image"
OUTPUT = "embedding"
_ADVICE = "export it again with `nearid-search models export`"


@dataclass(frozen=True, kw_only=True)
class OnnxMetadata:
    """What an exported encoder says about itself, in the file's metadata properties.

    Attributes:
        backbone: text that opens its backbone.
        backbone_fingerprint: of that backbone.
        head_fingerprint: of its head.
        preprocessing: how pixels become its input.
        out_dim: width of an embedding.
        made_by: version of this library that wrote it.
    """

    backbone: str
    backbone_fingerprint: str
    head_fingerprint: str
    preprocessing: Preprocessing
    out_dim: int
    made_by: str

    def as_properties(self) -> dict[str, str]:
        """Return the properties to write, text by name."""
        values = {name: str(value) for name, value in asdict(self).items()}
        return {"format": FORMAT, **values, "preprocessing": json.dumps(self.preprocessing.as_dict(), sort_keys=True)}

    @classmethod
    def from_properties(cls, properties: dict[str, str], path: Path) -> OnnxMetadata:
        """Read what ``as_properties`` gave.

        Args:
            properties: text by name.
            path: the file, for messages.

        Raises:
            WeightsError: if a property is missing or not of its form.
        """
        if properties.get("format") != FORMAT:
            raise WeightsError(
                f"{path}: its property 'format' is {properties.get('format')!r}, expected {FORMAT!r}: {_ADVICE}"
            )
        if missing := [field.name for field in fields(cls) if field.name not in properties]:
            raise WeightsError(f"{path}: its property {missing[0]!r} is missing: {_ADVICE}")
        values: dict[str, Any] = {field.name: properties[field.name] for field in fields(cls)}
        try:
            values["out_dim"] = int(properties["out_dim"])
            described = json.loads(properties["preprocessing"])
            described |= {name: tuple(described[name]) for name in ("mean", "std")}
            values["preprocessing"] = Preprocessing(**described)
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{path}: its properties cannot be read ({error}): {_ADVICE}") from error
        return cls(**values)


class OnnxEncoder(ImageEncoder):
    """Encodes with an exported encoder in float32 on the CPU; needs neither torch nor the backbone.

    Images go through one by one: onnxruntime sums some products and convolutions of one image in another order than
    those of several, and the same image must give the same vector whatever its neighbours.

    Args:
        path: written by ``onnx_export.export_onnx``.

    Raises:
        WeightsError: if the file cannot be read or is not an exported encoder.
    """

    def __init__(self, path: Path) -> None:
        self._session = open_session(path)
        self.metadata = OnnxMetadata.from_properties(dict(self._session.get_modelmeta().custom_metadata_map), path)
        super().__init__(f"{ONNX_FAMILY}{os.path.abspath(path)}", self.metadata.preprocessing)
        self._sha256 = file_sha256(path)
        size = self.preprocessing.size
        found = [(value.name, value.type, value.shape[1:]) for value in self._values()]
        wanted = [(INPUT, "tensor(float)", [3, size, size]), (OUTPUT, "tensor(float)", [self.metadata.out_dim])]
        if found != wanted:
            raise WeightsError(f"{path}: its inputs and outputs are {found}, its properties say {wanted}: {_ADVICE}")

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.metadata.out_dim

    @property
    def device(self) -> str:
        """Always "cpu"."""
        return "cpu"

    @property
    def dtype(self) -> str:
        """Always "float32"."""
        return "float32"

    @property
    def fingerprint(self) -> str:
        """Names the backbone and head it was exported from, and the file by its content."""
        return f"{self.metadata.backbone_fingerprint}+{self.metadata.head_fingerprint}+onnx:{self._sha256[:12]}"

    @property
    def details(self) -> dict[str, Any]:
        """The file's metadata and SHA-256."""
        return {**self.metadata.as_properties(), "sha256": self._sha256}

    def encode_prepared(self, images: NDArray[np.uint8]) -> Embeddings:
        """Encode images that ``prepare`` has resized.

        Args:
            images: (B, S, S, 3) uint8; B may be 0.

        Returns:
            (B, dim) float32 unit rows.

        Raises:
            ShapeError: if ``images`` has another shape or dtype, or an image's result is zero or not finite.
        """
        embeddings = np.empty((len(images), self.dim), np.float32)
        for row, pixels in enumerate(self.preprocessing.normalise(images)):
            embeddings[row] = self._session.run([OUTPUT], {INPUT: pixels[None]})[0][0]
        return unit_rows(embeddings)

    def _values(self) -> list[Any]:
        return [*self._session.get_inputs(), *self._session.get_outputs()]


def open_onnx_encoder(config: EncoderConfig) -> OnnxEncoder:
    """Open the exported encoder that a configuration names.

    Args:
        config: its backbone is "onnx:<file>".

    Returns:
        The encoder.

    Raises:
        ConfigError: if the configuration asks for another device or dtype than the file has, or for a head.
        WeightsError: if the file cannot be read or is not an exported encoder.
    """
    if config.head not in (AUTO_HEAD, NO_HEAD, None):
        raise ConfigError(f"{config.backbone} has its head inside: leave out the head {config.head}, or say none")
    if config.device not in ("auto", "cpu") or config.dtype not in ("auto", "float32"):
        raise ConfigError(
            f"{config.backbone} runs in float32 on the CPU, got {config.dtype} on {config.device}: leave both out"
        )
    return OnnxEncoder(Path(config.backbone.removeprefix(ONNX_FAMILY)))


def open_session(model: Path | bytes) -> Any:  # noqa: ANN401  (an onnxruntime.InferenceSession)
    """Open an ONNX model on the CPU.

    Args:
        model: a file, or a model's bytes.

    Returns:
        The session.

    Raises:
        WeightsError: if it is missing or is no ONNX model that onnxruntime runs.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    # Threads that wait by spinning would take the cores from the ones that decode the next pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Messages go into the error raised, not to the terminal beside it.
    options.log_severity_level = 4
    refusals = (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
    )
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except refusals as error:
        name = model if isinstance(model, Path) else "the model"
        raise WeightsError(f"{name}: cannot be opened as an ONNX model ({error}): {_ADVICE}") from error
