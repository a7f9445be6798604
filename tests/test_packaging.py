"""What is installed is what is in the tree, and importing it costs nothing."""

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from torch_modules import TORCH_MODULES

import nearid_search

ROOT = Path(__file__).parents[1]
PACKAGE_DIR = Path(nearid_search.__file__).parent
HEAVY = {"cv2", "torch", "torchvision", "timm", "open_clip", "faiss", "lancedb", "lance", "pyarrow"}
HEAVY |= {"onnx", "onnxruntime", "sklearn"}
BARE = {"indexer", "trainer", "eval"}


def packages_on_disk() -> set[str]:
    """Every folder with Python files, the linked ones included."""
    return {
        ".".join(["nearid_search", *Path(folder).relative_to(PACKAGE_DIR).parts])
        for folder, _, files in os.walk(PACKAGE_DIR, followlinks=True)
        if any(name.endswith(".py") for name in files)
    }


def modules_after(statement: str) -> set[str]:
    """Names in sys.modules of a fresh interpreter that ran a statement."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return set(result.stdout.split())


def test_every_package_on_disk_is_declared_and_the_other_way_round() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert declared == sorted(declared)
    assert packages_on_disk() == set(declared)


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert nearid_search.__version__ == project["version"]


def test_the_package_says_it_is_typed() -> None:
    assert (PACKAGE_DIR / "py.typed").exists()


def test_the_public_names_are_sorted_and_resolve() -> None:
    assert nearid_search.__all__ == sorted(nearid_search.__all__)
    assert set(nearid_search.__all__) <= set(dir(nearid_search))
    for name in nearid_search.__all__:
        public = getattr(nearid_search, name)
        assert public.__name__ == name
        assert getattr(importlib.import_module(public.__module__), name) is public


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = modules_after("import nearid_search")
    assert not loaded & (HEAVY | BARE | {"numpy", "PIL"})


def test_importing_every_module_loads_nothing_heavy() -> None:
    names = sorted(
        ".".join(["nearid_search", *Path(folder, name).relative_to(PACKAGE_DIR).with_suffix("").parts])
        for folder, _, files in os.walk(PACKAGE_DIR, followlinks=True)
        for name in files
        if name.endswith(".py") and not name.startswith("__")
    )
    names = [name for name in names if name.removeprefix("nearid_search.") not in TORCH_MODULES]
    assert len(names) > 20
    assert not modules_after("\n".join(f"import {name}" for name in names)) & (HEAVY | BARE)
