"""Can distractors be told from positives without knowing the thing?

python benchmarks/distractor_shortcuts.py synthetic

For each source, a linear probe is given the difference of a positive and its distractor, one way round or the other,
and says which way; it is judged on identities that it has not seen. 0.5 is chance: nothing but identity tells them
apart. Much more means that a head could learn the way distractors are made. Two inputs: the frozen readout of
dinov2-small, and a map of fine detail (14 x 14, log of the mean absolute difference to a blur of one pixel), which sees
resampling and compression.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.images import decode_image
from nearid_search.trainer.datasets import View, open_dataset

_FOLDS, _RESAMPLES = 5, 1_000
Features = NDArray[np.float64]


def main(dataset: Path) -> None:
    """Print one line an input and source: accuracy, its 95 % interval over identities, and the number of pairs."""
    encoder = IdentityEncoder.open("dinov2-small", device="cpu")
    found = open_dataset(dataset)
    print("input source accuracy low high pairs")
    for source in found.sources:
        views = [(s.identity, view) for s in found.samples for view in s.views if source in view.distractors]
        pictures = [_read(view, source) for _, view in views]
        groups = np.array([identity for identity, _ in views])
        tokens = [np.diff(encoder.encode(pair), axis=0)[0].astype(np.float64) for pair in pictures]
        details = [_detail(pair[1]) - _detail(pair[0]) for pair in pictures]
        for name, differences in (("tokens", tokens), ("detail", details)):
            accuracy, low, high = _probe(np.stack(differences), groups)
            print(f"{name} {source} {accuracy:.3f} {low:.3f} {high:.3f} {len(views)}")


def _read(view: View, source: str) -> list[NDArray[np.uint8]]:
    images = (view.image, view.distractors[source])
    return [decode_image(image.read_bytes(), name=image.name).pixels for image in images]


def _detail(pixels: NDArray[np.uint8]) -> Features:
    import cv2

    grey = pixels.mean(axis=2).astype(np.float32)
    fine = cv2.resize(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1)), (224, 224), interpolation=cv2.INTER_AREA)
    logarithm: Features = np.log(fine.reshape(14, 16, 14, 16).mean((1, 3)).ravel().astype(np.float64) + 0.1)
    return logarithm


def _probe(differences: Features, groups: NDArray[np.str_]) -> tuple[float, float, float]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    both = np.vstack([differences, -differences])
    labels = np.repeat([1, 0], len(differences))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2_000))
    guesses = cross_val_predict(model, both, labels, groups=np.tile(groups, 2), cv=GroupKFold(_FOLDS))
    right = (guesses == labels).reshape(2, -1).mean(axis=0)
    rng = np.random.default_rng(0)
    names = np.unique(groups)
    means = [
        np.concatenate([right[groups == name] for name in rng.choice(names, len(names))]).mean()
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(right.mean()), float(low), float(high)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
