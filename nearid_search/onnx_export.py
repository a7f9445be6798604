"""Writes backbone and identity head as one ONNX file, which runs without torch and without this library's weights."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearid_search import __version__
from nearid_search.backbones import dinov2_small
from nearid_search.backbones.base import Backbone
from nearid_search.backbones.patch_colour import WithPatchColours
from nearid_search.backbones.torch_runtime import TorchBackbone
from nearid_search.durable_file import rename
from nearid_search.errors import BackboneError, WeightsError
from nearid_search.head_file import LoadedHead, load_head
from nearid_search.head_numpy import embed
from nearid_search.onnx_encoder import INPUT, OUTPUT, OnnxEncoder, OnnxMetadata
from nearid_search.onnx_head import OPSET, Nodes, append_head
from nearid_search.onnx_patch_colour import join_patch_colours

if TYPE_CHECKING:
    import onnx
    import torch

TOLERANCE = 1e-4  # of an embedding's numbers against those of backbone and NumPy head
_PREFIX = "/identity"
_MAX_WEIGHTS = 2**31 - 2**24  # a protobuf message has at most 2 GiB, the nodes included


def export_head(head_dir: Path, path: Path) -> OnnxMetadata:
    """Export a trained head together with the backbone it was trained on.

    Args:
        head_dir: written by ``head_file.save_head``.
        path: the ONNX file to write, over an earlier one if there is one.

    Returns:
        What the file says about itself.

    Raises:
        BackboneError: if the backbone cannot be exported.
        MissingExtraError: if a package it needs is not installed.
        WeightsError: if weights are missing or not the expected ones, or the file cannot be written.
    """
    from nearid_search.backbones.registry import open_backbone

    head = load_head(head_dir)
    return export_onnx(open_backbone(head.manifest.backbone, device="cpu", dtype="float32"), head, path)


def export_onnx(backbone: Backbone, head: LoadedHead, path: Path) -> OnnxMetadata:
    """Export a backbone with a head on it.

    The new file is run on noise and takes its name only if it gives what backbone and NumPy head give.

    Args:
        backbone: dinov2-small, with or without patch colours, or any that runs in torch; in float32 on the CPU.
        head: trained on this backbone.
        path: the ONNX file to write, over an earlier one if there is one.

    Returns:
        What the file says about itself.

    Raises:
        BackboneError: if the backbone cannot be exported, or does not compute the same once it is.
        WeightsError: if the head was trained on another backbone, or the file cannot be written.
    """
    if head.manifest.backbone_weights != backbone.spec.weights_fingerprint:
        raise WeightsError(
            f"the head was trained on {head.manifest.backbone_weights}, but the backbone is "
            f"{backbone.spec.weights_fingerprint}: open {head.manifest.backbone} or train a head on this backbone"
        )
    metadata = OnnxMetadata(
        backbone=head.manifest.backbone,
        backbone_fingerprint=backbone.spec.fingerprint,
        head_fingerprint=head.fingerprint,
        preprocessing=backbone.spec.preprocessing,
        out_dim=head.spec.out_dim,
        made_by=__version__,
    )
    content = _join(_cut_backbone(backbone), backbone, head, metadata)
    temporary = path.with_name(path.name + ".tmp")
    try:
        _write(temporary, content)
        _check_parity(OnnxEncoder(temporary), backbone, head)
        rename(temporary, path)
    except OSError as error:
        raise WeightsError(f"{path}: the encoder cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return metadata


def _cut_backbone(backbone: Backbone) -> onnx.ModelProto:
    """Return the graph from ``INPUT`` to the tokens of each scale, its outputs in the order of the scales."""
    network = backbone.network if isinstance(backbone, WithPatchColours) else backbone
    if isinstance(network, dinov2_small.OnnxDinov2Small):
        model = network.token_graph()
    elif isinstance(network, TorchBackbone) and network.device == "cpu" and network.spec.dtype == "float32":
        model = _trace(network)
    else:
        raise BackboneError(
            f"{backbone.spec.name} in {backbone.spec.dtype} on {backbone.device} cannot be exported: open "
            "dinov2-small, efficientnet-lite0, a timm or an open_clip backbone with device='cpu' and dtype='float32'"
        )
    if isinstance(backbone, WithPatchColours):
        join_patch_colours(model, backbone)
    return model


def _trace(backbone: TorchBackbone) -> onnx.ModelProto:
    import onnx
    import torch

    class Tokens(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return backbone.compute_tokens(pixels)

    size = backbone.spec.preprocessing.size
    names = [f"tokens_{number}" for number in range(len(backbone.spec.token_scales))]
    file: Any = io.BytesIO()
    try:
        with _exporter_settings():
            torch.onnx.export(
                Tokens().eval(),
                (torch.zeros(2, 3, size, size),),
                file,
                dynamo=False,  # the newer exporter needs another package
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=names,
                dynamic_axes={name: {0: "batch"} for name in (INPUT, *names)},
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        reason = str(error).partition("\n")[0]
        raise BackboneError(
            f"{backbone.spec.name} cannot be exported: torch cannot write it as ONNX ({reason}); dinov2-small, "
            "efficientnet-lite0 and the usual ViTs and CNNs of timm and open_clip can be"
        ) from error
    return onnx.load_model_from_string(file.getvalue())


@contextmanager
def _exporter_settings() -> Iterator[None]:
    """What torch's exporter needs, undone afterwards."""
    import torch

    fused = torch.backends.mha.get_fastpath_enabled()
    # Warnings concern the exporter's age, and branches that are taken once and for all: running the file tells whether
    # one mattered. When it fails it prints the whole graph.
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), torch.inference_mode():
        warnings.simplefilter("ignore")
        try:
            torch.backends.mha.set_fastpath_enabled(False)  # one operator that ONNX does not have
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)


def _join(model: onnx.ModelProto, backbone: Backbone, head: LoadedHead, metadata: OnnxMetadata) -> bytes:
    """Put the head's nodes behind the tokens and the metadata beside the graph; changes and serialises ``model``."""
    from onnx import TensorProto, checker, helper

    nodes = Nodes(_PREFIX)
    tokens = [output.name for output in model.graph.output]
    counts = [scale.num_tokens for scale in backbone.spec.token_scales]
    nodes.add("Identity", append_head(nodes, tokens, counts, head.spec, head.arrays), output=OUTPUT)
    model.graph.node.extend(nodes.nodes)
    model.graph.initializer.extend(nodes.initialisers)
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", head.spec.out_dim]))
    helper.set_model_props(model, metadata.as_properties())
    model.producer_name, model.producer_version = "nearid-search", __version__
    weights = sum(tensor.ByteSize() for tensor in model.graph.initializer)
    if weights > _MAX_WEIGHTS:
        raise BackboneError(
            f"{backbone.spec.name} with its head cannot be exported: {weights:,} bytes of weights, and one ONNX file "
            f"holds at most {_MAX_WEIGHTS:,}; use a smaller backbone"
        )
    content: bytes = model.SerializeToString()
    checker.check_model(content)
    return content


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check_parity(encoder: OnnxEncoder, backbone: Backbone, head: LoadedHead) -> None:
    size = backbone.spec.preprocessing.size
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    expected: Any = embed(head.spec, head.arrays, backbone.tokens(noise))
    difference = float(np.abs(encoder.encode_prepared(noise) - expected).max())
    if not difference <= TOLERANCE:
        raise BackboneError(
            f"{backbone.spec.name} cannot be exported: as ONNX its embedding of noise differs by {difference:.1e}, at "
            f"most {TOLERANCE:.0e} is accepted; use another backbone, such as dinov2-small"
        )
