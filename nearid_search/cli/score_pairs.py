"""``nearid-search score-pairs``: score generated images against their references."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nearid_search.cli.options import BackboneOption, DeviceOption, HeadOption, JsonOption
from nearid_search.config import EncoderConfig, IndexConfig


def score_pairs(
    pairs: Annotated[
        Path,
        typer.Argument(help="Folder with <method>/src_image and <method>/tgt_image, or a CSV file of pairs."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for one score file a method.")],
    head: HeadOption = EncoderConfig.head,
    backbone: BackboneOption = None,
    device: DeviceOption = EncoderConfig.device,
    batch_size: Annotated[int, typer.Option(help="Images an encoder call.", min=1)] = IndexConfig.batch_size,
    force: Annotated[bool, typer.Option("--force", help="Overwrite score files.")] = False,
    json: JsonOption = False,
) -> None:
    """Score how well generated images keep the thing that their reference image shows.

    Example: nearid-search score-pairs ./samples --out ratings/data_ours_rating
    """
    from nearid_search.cli.agreement_tables import print_pair_scores
    from nearid_search.cli.progress import OneBar
    from nearid_search.encoder import IdentityEncoder
    from nearid_search.eval import pair_scores
    from nearid_search.eval.image_pairs import read_pairs

    listed = read_pairs(pairs)
    pair_scores.check_free(out, overwritten={pair.method for pair in listed} if force else ())
    encoder = IdentityEncoder.open(backbone, device=device, head=head)
    with OneBar("scoring", quiet=json) as progress:
        scores = pair_scores.score_pairs(listed, encoder, batch_size=batch_size, on_progress=progress.advance)
    pair_scores.write_scores(scores, out)
    print_pair_scores(scores, out, json=json)
