"""``nearid-search train``: fit an identity head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nearid_search.cli.options import JsonOption


def train(
    dataset: Annotated[Path, typer.Argument(help="Training set: folders, a manifest or published NearID tables.")],
    out: Annotated[Path, typer.Option(help="Folder for the head, its log and checkpoint.")] = Path("head"),
    config: Annotated[Path | None, typer.Option(help="TOML file with settings; the options here go before it.")] = None,
    features: Annotated[
        Path | None, typer.Option(help="Folder for cached features. Default: features in the --out folder.")
    ] = None,
    backbone: Annotated[str | None, typer.Option(help="A name from `nearid-search models`.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the identities.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the head's start and every batch.")] = None,
    json: JsonOption = False,
) -> None:
    """Fit an identity head on frozen features; goes on where a stopped run left off.

    Example: nearid-search train ./dataset --out head
    """
    from nearid_search.backbones.torch_extra import require_torch
    from nearid_search.cli.train_progress import TrainProgress, print_train_report
    from nearid_search.trainer.config import TrainConfig, read_toml
    from nearid_search.trainer.recipe import train as run

    require_torch("training")
    given: dict[str, Any] = {"backbone": backbone, "device": device, "epochs": epochs, "seed": seed}
    given |= {"dataset": str(dataset), "out": str(out), "features": None if features is None else str(features)}
    document = {} if config is None else read_toml(config)
    resolved = TrainConfig.from_dict(document | {name: value for name, value in given.items() if value is not None})
    with TrainProgress(quiet=json) as progress:
        report = run(resolved, listener=progress.listener)
    print_train_report(report, json=json)
