"""Weights files: where they are, whether they are the expected ones, and putting them into a network.

Nothing here executes what a file contains: safetensors, or torch checkpoints read with ``weights_only=True``. Keys and
shapes must match the network exactly: one with some weights left at random still returns plausible numbers.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nearid_search.errors import WeightsError

if TYPE_CHECKING:
    import torch

# How torch.save's files begin: a zip archive since 2020, before that a pickled magic number.
_TORCH_HEADERS = (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")


def file_sha256(path: Path) -> str:
    """Hash a file.

    Args:
        path: an existing file.

    Returns:
        64 hex digits.

    Raises:
        WeightsError: if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); expected a weights file") from error


def check_sha256(path: Path, expected: str) -> None:
    """Make sure a file is the one expected. It is hashed at every start: a stamp of an earlier check proves nothing.

    Args:
        path: the file.
        expected: its SHA-256, 64 hex digits.

    Raises:
        WeightsError: if it cannot be read or is another file.
    """
    found = file_sha256(path)
    if found != expected:
        raise WeightsError(
            f"{path}: not the expected weights: SHA-256 is {found}, expected {expected}; "
            "reinstall the package it belongs to"
        )


def find_packaged_file(module: str, relative: str) -> Path | None:
    """Find a data file of an installed package without importing the package, which may load anything.

    Args:
        module: top-level module name.
        relative: path inside it, with forward slashes.

    Returns:
        The file, or None if the package is not installed or does not have it.
    """
    spec = importlib.util.find_spec(module)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, relative)
        if path.is_file():
            return path
    return None


def load_state(path: Path) -> dict[str, torch.Tensor]:
    """Read a checkpoint.

    Args:
        path: a ``.safetensors`` file, or a torch checkpoint under any other suffix. ``{"state_dict": ...}``, as
            training scripts write it, is unwrapped; the ``module.`` prefix of a parallel wrapper is dropped.

    Returns:
        Tensors by key, on the CPU.

    Raises:
        WeightsError: if the file is missing, damaged, holds something else than tensors, or needs pickle to read.
    """
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path}: holds no named tensors; expected a state dict")
    return {str(key).removeprefix("module."): _as_tensor(path, key, value) for key, value in content.items()}


def fill_module(module: torch.nn.Module, state: Mapping[str, torch.Tensor], source: Path) -> None:
    """Copy tensors into a network; every key and shape must match.

    Args:
        module: the network; changed in place.
        state: tensors by the network's own keys.
        source: where they came from, for the message.

    Raises:
        WeightsError: names the first key that is missing, unexpected or of another shape.
    """
    template = module.state_dict()
    for key, wanted in template.items():
        if key not in state:
            raise WeightsError(f"{source}: {key!r} is missing; expected shape {tuple(wanted.shape)}")
        if state[key].shape != wanted.shape:
            found = tuple(state[key].shape)
            raise WeightsError(f"{source}: {key!r} has shape {found}, expected {tuple(wanted.shape)}")
    for key in state:
        if key not in template:
            raise WeightsError(f"{source}: {key!r} is unexpected; the network has no such tensor")
    module.load_state_dict(state, strict=True)


def _as_tensor(path: Path, key: object, value: object) -> torch.Tensor:
    import torch

    if not isinstance(value, torch.Tensor):
        raise WeightsError(f"{path}: {key!r} is a {type(value).__name__}, expected a tensor")
    return value


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be read as safetensors ({error})") from error


def _read_torch(path: Path) -> object:
    import pickle

    import torch

    try:
        with path.open("rb") as file:
            header = file.read(max(len(start) for start in _TORCH_HEADERS))
        if not header.startswith(_TORCH_HEADERS):
            raise WeightsError(f"{path}: cannot be read as a torch checkpoint (it does not begin like one)")
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).split("\n", 1)[0]
        raise WeightsError(f"{path}: cannot be read as a torch checkpoint of plain tensors ({reason})") from error
