"""Imports go down the layers only, and heavy libraries are imported inside functions."""

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from torch_modules import TORCH_MODULES

import nearid_search

PACKAGE_DIR = Path(nearid_search.__file__).parent

# Highest first. A name stands for the module or package and all below it, unless a longer name says otherwise. A module
# may import its own layer and those under it.
LAYERS = (
    ("__main__",),
    ("cli", "server"),
    ("client", "answer_json"),
    ("trainer", "eval"),
    (
        "engine",
        "asking",
        "embedding_engine",
        "enrolled",
        "explain",
        "strip",
        "suggestion_sheet",
        "indexer.catalogue.build",
        "indexer.review.suggestions",
        "indexer.search.tune",
    ),
    ("ranking", "verdict", "rerank", "indexer.review.view_neighbours", "indexer.review.usual_scores"),
    ("indexer",),
    ("encoder", "gpu_encoding", "image_encoder", "onnx_encoder", "onnx_export", "onnx_patch_colour"),
    (
        "head",
        "head_file",
        "shipped_heads",
        "head_folding",
        "head_numpy",
        "head_spec",
        "onnx_head",
        "attribution",
        "foreground",
        "heat_overlay",
        "saliency",
        "backbones",
        "weights",
        "nearid_checkpoint",
        "nearid_config",
        "nearid_layout",
        "picture_time",
        "packed_pictures",
        "images",
        "image_decoding",
        "image_formats",
        "pixel_budget",
        "pixels",
    ),
    (
        "amounts",
        "calibration",
        "similarity",
        "records",
        "reports",
        "config",
        "device",
        "durable_file",
        "errors",
        "explanation",
        "fetching",
        "map_ahead",
        "object_storage",
        "opencv_extra",
        "parquet_claims",
        "picture_page",
        "processes",
        "sealed_json",
        "suggestion",
        "eval.metrics",
        "",
    ),
)
RANKS = {name: len(LAYERS) - number for number, names in enumerate(LAYERS) for name in names}
HEAVY = {
    "boto3",
    "cv2",
    "torch",
    "torchvision",
    "timm",
    "open_clip",
    "faiss",
    "lancedb",
    "obstore",
    "lance",
    "ray",
    "pyarrow",
    "onnx",
    "onnxruntime",
    "openvino",
    "qdrant_client",
    "safetensors",
    "sklearn",
}
WEB = {"fastapi", "httpx2", "prometheus_client", "pydantic", "starlette", "uvicorn"}
# Parts of building a gallery: above the gallery although they sit beside it.
BUILD_PARTS = (
    "indexer.catalogue.plan",
    "indexer.catalogue.reconcile",
    "indexer.catalogue.run",
    "indexer.catalogue.survey",
    "indexer.cluster.embed",
)
RANKS |= dict.fromkeys(BUILD_PARTS, RANKS["indexer.catalogue.build"])


class Import(NamedTuple):
    """One import statement: who, of what, on which line, and whether it runs when the module is loaded."""

    module: str
    target: str
    line: int
    eager: bool


def sources() -> dict[str, Path]:
    """Every module by its name without ``nearid_search.``; the package itself is the empty name."""
    found = {}
    for folder, _, files in os.walk(PACKAGE_DIR, followlinks=True):
        for name in files:
            if name.endswith(".py"):
                parts = Path(folder, name).relative_to(PACKAGE_DIR).with_suffix("").parts
                found[".".join(part for part in parts if part != "__init__")] = Path(folder, name)
    return found


MODULES = sources()


@cache
def imports_of(module: str) -> list[Import]:
    return list(_walk(module, ast.parse(MODULES[module].read_text(encoding="utf-8")), eager=True))


def _walk(module: str, node: ast.AST, *, eager: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (Import(module, alias.name, child.lineno, eager) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{module} line {child.lineno}: import by the full name"
            for alias in child.names:
                whole = f"{child.module}.{alias.name}"
                known = whole.removeprefix("nearid_search.") in MODULES
                yield Import(module, whole if known else str(child.module), child.lineno, eager)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(module, child, eager=eager and not inside)


def rank_of(module: str) -> int:
    name = module
    while name not in RANKS and "." in name:
        name = name.rpartition(".")[0]
    assert name in RANKS, f"{module} has no layer: give it one in {Path(__file__).name}"
    return RANKS[name]


def inner(found: Import) -> str | None:
    """The imported module of ours, without ``nearid_search.``; None for other libraries."""
    package, _, rest = found.target.partition(".")
    return rest if package == "nearid_search" else None


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down_only(module: str) -> None:
    for found in imports_of(module):
        target = inner(found)
        if target is not None:
            assert rank_of(target) <= rank_of(module), f"{module} line {found.line} imports {target}, which is above it"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nobody_imports_the_surfaces(module: str) -> None:
    if module.partition(".")[0] not in ("cli", "server", "__main__"):
        surfaces = [
            found for found in imports_of(module) if (inner(found) or "").partition(".")[0] in ("cli", "server")
        ]
        assert surfaces == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_answering_and_indexing_know_no_training_or_evaluation(module: str) -> None:
    if module.partition(".")[0] not in ("cli", "server", "trainer", "eval"):
        tasks = [found for found in imports_of(module) if (inner(found) or "").partition(".")[0] in ("trainer", "eval")]
        assert tasks == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_heavy_libraries_are_imported_inside_functions(module: str) -> None:
    heavy = HEAVY - {"torch"} if module in TORCH_MODULES else HEAVY
    if module.partition(".")[0] != "server":  # nobody imports it but `serve`, when it is called
        heavy = heavy | WEB
    assert [found for found in imports_of(module) if found.eager and found.target.partition(".")[0] in heavy] == []


@pytest.mark.parametrize("module", sorted(set(MODULES) - TORCH_MODULES))
def test_modules_written_in_torch_are_imported_inside_functions(module: str) -> None:
    assert [found for found in imports_of(module) if found.eager and inner(found) in TORCH_MODULES] == []


def test_the_walk_sees_what_it_should() -> None:
    found = {(entry.target, entry.eager) for entry in imports_of("indexer.manifest")}
    assert ("nearid_search.errors", True) in found
    assert ("pyarrow", False) in {(entry.target, entry.eager) for entry in imports_of("indexer.catalogue.labels")}
    assert rank_of("indexer.catalogue.build") > rank_of("indexer.store") > rank_of("backbones.base") > rank_of("errors")
