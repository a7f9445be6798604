"""``nearid-search distractors``: make a training set from a catalogue."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli.options import DeviceOption, JsonOption
from nearid_search.config import EncoderConfig
from nearid_search.trainer.distractors.config import DistractorConfig
from nearid_search.trainer.distractors.masks import MaskModel


def distractors(
    catalogue: Annotated[Path, typer.Argument(help="Folder of images; its sub-folders name the identities.")],
    out: Annotated[Path, typer.Option(help="Folder for the training set.")] = Path("dataset"),
    identities: Annotated[
        Path | None, typer.Option(help="CSV or Parquet file with columns path, identity. Default: sub-folders.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder with your masks: chair/1.png, thing white, for chair/1.jpg.")
    ] = None,
    mask_model: Annotated[
        MaskModel, typer.Option(help="For views without: saliency, u2net if its file is there, auto.")
    ] = DistractorConfig.mask_model,
    val: Annotated[float, typer.Option(help="Share of the identities for val.")] = DistractorConfig.val,
    test: Annotated[float, typer.Option(help="Share of the identities for test.")] = DistractorConfig.test,
    seed: Annotated[int, typer.Option(help="Of splits, look-alikes, places and colours.")] = DistractorConfig.seed,
    size: Annotated[int, typer.Option(help="Longer side of the pictures, pixels.")] = DistractorConfig.size,
    plain_positives: Annotated[
        bool, typer.Option("--plain-positives", help="Do not cut and paste positives like distractors.")
    ] = False,
    device: DeviceOption = EncoderConfig.device,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a training set from a catalogue: other things on the background of each view; goes on where it stopped.

    Example: nearid-search distractors ./catalog --out ./synthetic
    """
    from nearid_search.cli.distractors_progress import DistractorProgress, print_distractor_plan, print_report
    from nearid_search.trainer.distractors.build import make_distractors

    config = DistractorConfig(
        seed=seed, val=val, test=test, size=size, mask_model=mask_model, paste_positive=not plain_positives
    )
    if dry_run:
        print_distractor_plan(catalogue, config, identities, json=json)
        return
    with DistractorProgress(config, quiet=json) as progress:
        report = make_distractors(
            catalogue,
            out,
            config=config,
            identities=identities,
            masks=masks,
            device=device,
            command=shlex.join(sys.argv),
            listener=progress.listener,
        )
    print_report(report, json=json)
