"""Which distractors stand between a view and the next view of its identity? Recall@k by what else is in the gallery.

The gallery holds every view of a split and, one after another: no distractor, those of one source, those of all
sources. Each view asks for another of its identity. Prints one JSON object with 95 % intervals from resampling
identities.

    python benchmarks/recall_by_source.py identities --head auto
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from record import describe_machine
from whole_pictures import embed_whole

from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.embedded_split import PlacedSamples
from nearid_search.eval.protocols.gallery import evaluate_gallery
from nearid_search.eval.readouts import OwnReadout
from nearid_search.trainer.datasets import Sample, open_dataset

FIGURES = ("recall@1", "recall@5", "recall@10", "map")


def main() -> None:
    """Print the figures of every gallery."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--backbone", default=None, help="needed for a head of another backbone than the default")
    parser.add_argument("--head", default="auto", help="folder of a head; auto: the one that ships; none: frozen")
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    settings = {} if options.backbone is None else {"backbone": options.backbone}
    encoder = IdentityEncoder.open(**settings, head=None if options.head == "none" else options.head, device="auto")
    samples = open_dataset(options.dataset).split(options.split)
    report = measure(samples, encoder)
    print(json.dumps({"split": options.split, "encoder": encoder.fingerprint, **report, **describe_machine()}))


def measure(samples: Sequence[Sample], encoder: IdentityEncoder) -> dict[str, Any]:
    """Embed a split once and rank each gallery made of it.

    Args:
        samples: of one split.
        encoder: what embeds them.

    Returns:
        Under ``galleries``, by the sources in the gallery, its figures and how many pictures it holds.
    """
    readout = OwnReadout(encoder)
    embedded = embed_whole(samples, readout)
    sources = sorted({source for sample in samples for view in sample.views for source in view.distractors})
    wanted: dict[str, Callable[[str], bool]] = {"none": lambda _: False}
    wanted.update({source: source.__eq__ for source in sources})
    wanted["all"] = lambda _: True
    galleries = {}
    for label, keep in wanted.items():
        result = evaluate_gallery(_with_sources(embedded.placed, keep), embedded.embeddings[readout.name])
        figures = {figure: result.figures[figure].as_dict() for figure in FIGURES}
        galleries[label] = {"pictures": result.n_indexed, **figures}
    return {"identities": len(embedded.placed.samples), "seed": 0, "galleries": galleries}


def _with_sources(placed: PlacedSamples, keep: Callable[[str], bool]) -> PlacedSamples:
    rows = tuple(
        replace(
            sample,
            views=tuple(
                replace(view, distractors={name: row for name, row in view.distractors.items() if keep(name)})
                for view in sample.views
            ),
        )
        for sample in placed.rows
    )
    return PlacedSamples(placed.samples, rows)


if __name__ == "__main__":
    main()
