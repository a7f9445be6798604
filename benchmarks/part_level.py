"""Does similarity fall as more of a thing is changed?

Reads a set that `render_identities.py` made: a folder with `manifest.parquet`, in which the distractor of source `part`
shows the thing of its view with one part changed, and whose `oracle` is 1 minus the share of the thing that changed.
A sample is two views of an identity that both have such a distractor; every two are one, the first by name first.

Prints one JSON object: for the head and for the frozen readout of the same backbone M-O, the Fisher-z mean of four
correlations of similarity with oracle, and M-O pair, that of the two within a view (arXiv 2604.01973), each with a 95 %
interval from resampling identities. `n` counts samples; a view is in as many as it has partners.

    python benchmarks/part_level.py identities --head head
    python benchmarks/part_level.py identities --backbone dinov2-small
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import DatasetError, UnreadableImageError
from nearid_search.eval.encode_pictures import Picture, encode_pictures
from nearid_search.eval.intervals import RESAMPLES, bootstrap_statistic
from nearid_search.eval.metrics import metric_to_oracle
from nearid_search.eval.readouts import FROZEN, HEAD, Readouts
from nearid_search.similarity import Embeddings
from nearid_search.trainer.datasets.image_sources import FileImage

PART = "part"
"""Source of the distractors that show the thing itself with one part changed."""


class ChangedView(NamedTuple):
    """A view and its twin with one part changed."""

    identity: str
    view: str
    path: Path
    changed: Path
    oracle: float


@dataclass(frozen=True)
class Scores:
    """Similarities of S samples of two views, 1 and 2, and their changed twins, 1' and 2'.

    Attributes:
        identities: (S,) what each sample shows.
        within: (S, 2) float64: s(1,1') and s(2,2').
        across: (S, 2) float64: s(1,2') and s(2,1').
        oracle: (S, 2) float64: of 1' and 2'.
    """

    identities: NDArray[np.str_]
    within: NDArray[np.float64]
    across: NDArray[np.float64]
    oracle: NDArray[np.float64]

    def figures(self, *, resamples: int, seed: int) -> dict[str, Any]:
        """Return M-O and M-O pair, JSON-ready, with intervals that resample identities."""

        def interval(name: str) -> dict[str, Any]:
            return bootstrap_statistic(
                lambda rows: float(
                    getattr(metric_to_oracle(self.within[rows], self.across[rows], self.oracle[rows]), name)
                ),
                self.identities,
                resamples=resamples,
                seed=seed,
            ).as_dict()

        return {name: interval(name) for name in ("m_o", "m_o_pair")}


def read_changed_views(folder: Path, split: str) -> tuple[list[ChangedView], int]:
    """Read a split of a rendered set.

    Args:
        folder: holds ``manifest.parquet``, to whose paths it is the root.
        split: ``train``, ``val`` or ``test``.

    Returns:
        The views that have a twin with one part changed, by identity and name, and how many others there are.

    Raises:
        DatasetError: if the split has no such view.
    """
    table = pq.read_table(
        folder / "manifest.parquet", columns=["identity", "view", "role", "source", "oracle", "path", "split"]
    )
    rows = table.filter(pc.equal(table["split"], split)).to_pylist()
    changed = {(row["identity"], row["view"]): row for row in rows if row["source"] == PART}
    views = {(row["identity"], row["view"]): row["path"] for row in rows if row["role"] == "positive"}
    found = [
        ChangedView(*key, folder / views[key], folder / changed[key]["path"], changed[key]["oracle"])
        for key in sorted(views.keys() & changed.keys())
    ]
    if not found:
        raise DatasetError(
            f"{folder}: no view of split {split!r} has a distractor of source {PART!r}: give a set of them"
        )
    return found, len(views) - len(found)


def pair_views(views: Sequence[ChangedView]) -> NDArray[np.int64]:
    """Pair every two views of each identity.

    Args:
        views: in the order of their identities.

    Returns:
        (S, 2) rows of ``views``, the lower first.
    """
    groups = groupby(range(len(views)), key=lambda row: views[row].identity)
    pairs = [pair for _, rows in groups for pair in combinations(rows, 2)]
    return np.array(pairs, np.int64).reshape(-1, 2)


def score_pairs(views: Sequence[ChangedView], plain: Embeddings, changed: Embeddings) -> Scores:
    """Compare the views of each pair with the changed twins of both.

    Args:
        views: in the order of their identities.
        plain: (V, D) unit rows of the views.
        changed: (V, D) unit rows of their twins.
    """
    pairs = pair_views(views)
    wide, twins = plain.astype(np.float64), changed.astype(np.float64)
    oracle = np.array([view.oracle for view in views], np.float64)
    own = (wide * twins).sum(axis=1)
    across = np.stack([(wide[pairs[:, side]] * twins[pairs[:, 1 - side]]).sum(axis=1) for side in (0, 1)], axis=1)
    identities = np.array([views[row].identity for row in pairs[:, 0]], np.str_)
    return Scores(identities, own[pairs], across, oracle[pairs])


def judge(folder: Path, encoder: IdentityEncoder, *, split: str, resamples: int, seed: int) -> dict[str, Any]:
    """Embed a split and judge the head, if there is one, and the frozen readout on the same pictures.

    Args:
        folder: of the set.
        encoder: frozen or with a head.
        split: ``train``, ``val`` or ``test``.
        resamples: of every interval.
        seed: of the resampling.

    Returns:
        What is printed, JSON-ready.

    Raises:
        DatasetError: if the split has no view with a changed twin.
        UnreadableImageError: if a picture cannot be read.
    """
    views, n_unchanged = read_changed_views(folder, split)
    pictures = [[Picture(FileImage(path)) for path in (view.path, view.changed)] for view in views]
    readouts = Readouts(encoder)
    encoded = encode_pictures([picture for both in pictures for picture in both], readouts)
    for failure in encoded.failures.values():
        raise UnreadableImageError(failure.path, failure.error)
    plain, changed = (np.array([encoded.rows[both[side]] for both in pictures]) for side in (0, 1))
    report: dict[str, Any] = {"split": split, "seed": seed, "resamples": resamples}
    report |= {"views": len(views), "views_without_changed_part": n_unchanged}
    for name in (HEAD, FROZEN):
        if name in encoded.embeddings:
            embeddings = encoded.embeddings[name]
            scores = score_pairs(views, embeddings[plain], embeddings[changed])
            report[name] = {"encoder": readouts.fingerprints[name], **scores.figures(resamples=resamples, seed=seed)}
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="test", help="train, val or test (default: %(default)s)")
    parser.add_argument("--head", help="folder of a trained head, or auto; by default the frozen readout alone")
    parser.add_argument("--backbone", help="by default the head's")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of every interval (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default: %(default)s)")
    options = parser.parse_args(arguments)
    encoder = IdentityEncoder.open(options.backbone, head=options.head)
    report = judge(options.folder, encoder, split=options.split, resamples=options.resamples, seed=options.seed)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
