"""Where a run stands, in one safetensors file: head, optimiser and step, so that going on gives the same weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nearid_search.durable_file import write_file
from nearid_search.errors import TrainingError

CHECKPOINT_NAME = "checkpoint.safetensors"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def save_checkpoint(path: Path, head: torch.nn.Module, optimiser: torch.optim.AdamW, state: dict[str, Any]) -> None:
    """Write a checkpoint; a crash leaves the old one or the new one.

    Args:
        path: the file.
        head: what is trained.
        optimiser: over the head's parameters, in their order.
        state: JSON-ready values to get back from ``load_checkpoint``.

    Raises:
        TrainingError: if the file cannot be written.
    """
    from safetensors.torch import save

    tensors = {f"head.{name}": tensor.detach().contiguous() for name, tensor in head.state_dict().items()}
    for name, parameter in head.named_parameters():
        for moment, value in optimiser.state[parameter].items():
            tensors[f"{moment}.{name}"] = torch.as_tensor(value).contiguous()
    try:
        write_file(path, save(tensors, metadata={"state": json.dumps(state)}))
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error.strerror or error}; the best head so far is kept") from error


def load_checkpoint(
    path: Path, head: torch.nn.Module, optimiser: torch.optim.AdamW, *, recipe: Mapping[str, Any]
) -> dict[str, Any]:
    """Restore head and optimiser in place.

    Args:
        path: what ``save_checkpoint`` wrote.
        head: of the same shape.
        optimiser: fresh, over the head's parameters.
        recipe: what decides the run, JSON-ready; the state that was saved must have the same under "recipe".

    Returns:
        The state that was saved.

    Raises:
        TrainingError: if the file is damaged or of another run; then nothing was restored.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            state: dict[str, Any] = json.loads(file.metadata()["state"])
            _require_same(path, state["recipe"], json.loads(json.dumps(recipe)))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dictionary)
        head.load_state_dict({name: tensors[f"head.{name}"] for name in head.state_dict()})
        for name, parameter in head.named_parameters():
            moments = {moment: tensors[f"{moment}.{name}"] for moment in _MOMENTS if f"{moment}.{name}" in tensors}
            optimiser.state[parameter] = {
                moment: value if moment == "step" else value.to(parameter.device) for moment, value in moments.items()
            }
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path} cannot be resumed ({error}): delete it to train from the start") from error
    return state


def _require_same(path: Path, found: Mapping[str, Any], recipe: Mapping[str, Any]) -> None:
    changed = sorted(name for name in {*found, *recipe} if found.get(name) != recipe.get(name))
    if changed:
        raise TrainingError(
            f"{path} is of a run that differs in {', '.join(changed)}: delete it, or give another --out"
        )
