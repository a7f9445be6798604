"""Score how well generated images keep the thing that reference images show.

    python examples/score_generations.py references generated --out scores.csv

Both folders have a sub-folder for each subject, of the same name: references/mug/1.jpg, generated/mug/1.png. An image's
score is its mean cosine with the references of its subject; its margin is that less the score with the next best one.
scores.csv has a line for each image. A line for each subject is printed, with the mean and its 95 % interval over
images, and one for all, with an interval over subjects.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search import IdentityEncoder, NearIDError, bootstrap_interval, list_pictures


def print_line(subject: str, images: NDArray[np.float32], clusters: list[str]) -> None:
    """Print mean score, interval and mean margin of images, (N, 2) scores and margins."""
    score, margin = (bootstrap_interval(column, np.array(clusters)) for column in images.T)
    print(subject, len(images), *(f"{x:.3f}" for x in (score.value, score.low, score.high, margin.value)), sep=",")


def main() -> None:
    """Read the command line, write and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("references", type=Path)
    parser.add_argument("generated", type=Path)
    parser.add_argument("--out", type=Path, default="scores.csv", help="default: %(default)s")
    parser.add_argument("--head", default="auto", help="as for nearid-search index; default: the one that ships")
    options = parser.parse_args()
    encoder = IdentityEncoder.open(head=options.head)
    subjects = {path.name: list_pictures(path) for path in sorted(options.references.iterdir()) if path.is_dir()}
    if not subjects or not all(subjects.values()):
        sys.exit(f"error: {options.references} needs a folder with pictures for each subject, and none without")
    centres = np.stack([encoder.encode(pictures).mean(axis=0) for pictures in subjects.values()])
    everything, rows = [np.empty((0, 2), np.float32)], []
    print("subject,images,mean,low,high,mean_margin")
    for place, subject in enumerate(subjects):
        images = list_pictures(options.generated / subject)
        scores = encoder.encode(images) @ centres.T  # (images, subjects)
        others = np.delete(scores, place, axis=1).max(axis=1) if len(subjects) > 1 else np.nan
        everything.append(np.stack([scores[:, place], scores[:, place] - others], axis=1))
        for path, (score, margin) in zip(images, everything[-1], strict=True):
            rows.append((subject, path, f"{score:.4f}", f"{margin:.4f}"))
        print_line(subject, everything[-1], [str(path) for path in images])
    print_line("all", np.concatenate(everything), [row[0] for row in rows])
    with options.out.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("subject", "image", "score", "margin"), *rows])


if __name__ == "__main__":
    try:
        main()
    except (NearIDError, OSError) as error:
        sys.exit(f"error: {error}")
