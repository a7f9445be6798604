"""How many recolours could colours alone tell, under the true mask? What limits a head that loses the others.

A recolour stands in the very place, light and pose of the view that it imitates; the other views of the thing stand in
other light. Each picture is described by the quantiles of its CIELAB colours under the true mask, lightness weighing
less; two are compared by their mean distance. Prints one JSON object: the share of margins won by the head, by colours,
by both together, and by at least one of them, with 95 % intervals from resampling identities.

    python benchmarks/colour_limit.py identities --split test
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from identity_renderer.colour import to_lab
from numpy.typing import NDArray
from record import describe_machine
from whole_pictures import embed_whole

from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.intervals import bootstrap_interval
from nearid_search.eval.protocols.pairs import pair_margins
from nearid_search.eval.readouts import OwnReadout
from nearid_search.images import decode_image
from nearid_search.trainer.datasets import Sample, View, open_dataset
from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.variants import read_mask

SOURCE = "recolour"
_QUANTILES = np.linspace(0.02, 0.98, 25)
_WEIGHTS = np.array([0.3, 1, 1])  # of lightness, a and b


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    encoder = IdentityEncoder.open(device="auto")
    won = measure(open_dataset(options.dataset).split(options.split), encoder)
    line = {"split": options.split, "source": SOURCE, "encoder": encoder.fingerprint, "won": won}
    print(json.dumps({**line, **describe_machine()}))


def measure(samples: Sequence[Sample], encoder: IdentityEncoder) -> dict[str, Any]:
    """Compare the head with exact colours.

    Args:
        samples: of one split, with masks; a recolour has the outline of its view.
        encoder: with the head.

    Returns:
        By who decides, the share of margins won, with its interval.
    """
    masks = {image: view.mask for sample in samples for view in sample.views for image in _pictures(view) if view.mask}
    readout = OwnReadout(encoder)
    embedded = embed_whole([_recolours_only(sample) for sample in samples], readout)
    margins = pair_margins(embedded.placed.rows, embedded.embeddings[readout.name])
    present = margins.triples[:, :, 0] >= 0
    identities = np.broadcast_to(margins.samples[:, None], present.shape)[present]
    ours = margins.margins[present]
    colours = np.stack([_colours(picture.image, masks) for picture in embedded.pictures])
    view, other, recolour = margins.triples[present].T
    theirs = _distance(colours[view], colours[recolour]) - _distance(colours[view], colours[other])
    won = {
        "head": ours > 0,
        "colours": theirs > 0,
        "both": ours / ours.std() + theirs / theirs.std() > 0,
        "at least one": (ours > 0) | (theirs > 0),
    }
    return {name: bootstrap_interval(each.astype(float), identities).as_dict() for name, each in won.items()}


def _pictures(view: View) -> list[ImageSource]:
    return [view.image, *view.distractors.values()]


def _recolours_only(sample: Sample) -> Sample:
    views = [
        replace(view, distractors={name: each for name, each in view.distractors.items() if name == SOURCE})
        for view in sample.views
    ]
    return replace(sample, views=tuple(views))


def _colours(image: ImageSource, masks: Mapping[ImageSource, ImageSource]) -> NDArray[np.float64]:
    """Describe a picture: (75,) quantiles of its weighted CIELAB values under the mask, which recolours share."""
    pixels = decode_image(image.read_bytes(), name=image.name).pixels
    inside = read_mask(masks[image], pixels.shape[0], pixels.shape[1])
    lab = to_lab(pixels[inside] / 255) * _WEIGHTS
    described: NDArray[np.float64] = np.quantile(lab, _QUANTILES, axis=0).ravel()
    return described


def _distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    distance: NDArray[np.float64] = np.abs(first - second).mean(axis=1)
    return distance


if __name__ == "__main__":
    main()
