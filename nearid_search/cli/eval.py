"""``nearid-search eval``: judge an encoder on a split of a dataset."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli.options import BackboneOption, DeviceOption, HeadOption, JsonOption, require_new_file
from nearid_search.config import EncoderConfig


def evaluate(
    dataset: Annotated[Path, typer.Argument(help="Dataset: folders, a manifest or published NearID tables.")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    head: HeadOption = EncoderConfig.head,
    backbone: BackboneOption = None,
    compare: Annotated[Path | None, typer.Option(help="Folder of a second head to test --head against.")] = None,
    fillers: Annotated[
        Path | None, typer.Option(help="Folder of pictures of other things to dilute the gallery with.")
    ] = None,
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(help="Of folds, fillers and every interval.")] = 0,
    masked: Annotated[
        bool, typer.Option("--masked/--no-masked", help="Judge without background, too, where there are masks.")
    ] = True,
    html: Annotated[
        Path | None, typer.Option(help="Write figures, plots and worst failures into one HTML file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the HTML file.")] = False,
    json: JsonOption = False,
) -> None:
    """Judge an encoder: SSR, PA, recall and open-set figures with 95 % intervals, head and frozen backbone alike.

    Example: nearid-search eval ./dataset --head head
    """
    from nearid_search.cli.eval_tables import EvalProgress, print_eval_report
    from nearid_search.cli.render import note
    from nearid_search.encoder import IdentityEncoder
    from nearid_search.eval.evaluate import EvalOptions, find_fillers
    from nearid_search.eval.evaluate import evaluate as run
    from nearid_search.head_file import load_head
    from nearid_search.trainer.datasets import open_dataset

    require_new_file(html, force=force)
    given = {"split": split, "head": head, "backbone": backbone, "compare": compare, "fillers": fillers, "seed": seed}
    options = [text for name, value in given.items() if value is not None for text in (f"--{name}", str(value))]
    options += [] if masked else ["--no-masked"]
    opened, others = open_dataset(dataset), [] if fillers is None else find_fillers(fillers)
    encoder = IdentityEncoder.open(backbone, device=device, head=head)
    fingerprint = encoder.backbone.spec.weights_fingerprint
    other = None if compare is None else load_head(compare, backbone_weights=fingerprint)
    with EvalProgress(quiet=json) as progress:
        report = run(
            opened,
            encoder,
            split=split,
            compare=other,
            fillers=others,
            options=EvalOptions(seed=seed, masked=masked),
            command=shlex.join(["nearid-search", "eval", str(dataset), *options]),
            listener=progress.listener,
        )
    print_eval_report(report, json=json)
    if html is not None:
        from nearid_search.eval.report import write_report

        write_report(report, html)
        note(f"report: {html}")
