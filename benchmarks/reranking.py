"""What does each rung of re-ranking gain or lose, and how long does it take? On a split of rendered identities.

Every picture of a gallery asks for another of its thing, without itself. Two galleries: the views alone, and the views
with all their distractors, where the pictures of one distractor source of an identity count as views of one other
thing. There distractors ask, too: they are variations on the views, so a view stands in their middle, and whatever
averages would seem to help if views alone were asked. Prints and writes for each rung identity rank-1, its gain over
plain search in points with a 95 % interval over identities, and the milliseconds of re-ranking one query, its pictures
included.

    python benchmarks/reranking.py identities
    python benchmarks/reranking.py identities --identities 40 --rerank-ms 60000 --patch-queries 40
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from record import load_average, write_result

from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.rerank_tuning import ask, figures_of
from nearid_search.rerank.ladder import OF_PICTURES, RUNGS, open_rung
from nearid_search.rerank.shortlist import SHORTLIST, Shortlist
from nearid_search.similarity import Embeddings, top_k
from nearid_search.trainer.datasets import Sample, open_dataset


class Pictures(NamedTuple):
    """The pictures of a split.

    Attributes:
        paths: of each.
        things: which thing each shows.
        identities: which identity each belongs to; a distractor to that of its view.
        is_view: whether it is a view rather than a distractor.
    """

    paths: list[Path]
    things: NDArray[np.str_]
    identities: NDArray[np.str_]
    is_view: NDArray[np.bool_]


def main() -> None:
    """Measure every rung on both galleries."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--identities", type=int, default=0, help="a seeded sample of so many; 0: all")
    parser.add_argument("--rungs", nargs="*", choices=RUNGS, default=RUNGS)
    parser.add_argument("--rerank-ms", type=float, default=60_000.0, help="time budget of a query")
    parser.add_argument("--patch-queries", type=int, default=200, help="a sample for rungs that read pictures")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    load_before = load_average()
    encoder = IdentityEncoder.open(device="auto")
    samples = choose(open_dataset(options.dataset).split(options.split), options.identities, options.seed)
    pictures = list_pictures(samples)
    embeddings = embed(encoder, pictures.paths)
    measured: dict[str, Any] = {"split": options.split, "identities": len(samples), "encoder": encoder.fingerprint}
    for label, rows in (("views", np.flatnonzero(pictures.is_view)), ("look-alikes", np.arange(len(pictures.paths)))):
        measured[label] = measure(encoder, pictures, embeddings, rows, options)
    write_result("reranking", measured, load_before=load_before)


def choose(samples: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """Return a seeded sample of identities, all for 0."""
    if not count or count >= len(samples):
        return list(samples)
    return [samples[row] for row in sorted(np.random.default_rng(seed).choice(len(samples), count, replace=False))]


def list_pictures(samples: Sequence[Sample]) -> Pictures:
    """Return views and distractors; those of one source of an identity show one thing."""
    rows = []
    for sample in samples:
        for view in sample.views:
            rows.append((view.image.name, sample.identity, sample.identity, True))
            rows += [
                (image.name, f"{sample.identity}#{s}", sample.identity, False) for s, image in view.distractors.items()
            ]
    paths, things, identities, is_view = zip(*rows, strict=True)
    return Pictures([Path(path) for path in paths], np.array(things), np.array(identities), np.array(is_view))


def embed(encoder: IdentityEncoder, paths: Sequence[Path]) -> Embeddings:
    """Encode every picture once."""
    blocks = []
    for start in range(0, len(paths), 64):
        blocks.append(encoder.encode(paths[start : start + 64]))
        print(f"  {start + len(blocks[-1]):,} of {len(paths):,} pictures", file=sys.stderr)
    return np.concatenate(blocks)


def measure(
    encoder: IdentityEncoder,
    pictures: Pictures,
    embeddings: Embeddings,
    rows: NDArray[np.int64],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Ask every view of one gallery, rung by rung.

    Args:
        encoder: for the rungs that look at pictures.
        pictures: of the split.
        embeddings: (N, D) of each.
        rows: (G,) which of them are in the gallery.
        options: of the command line.
    """
    _, codes = np.unique(pictures.things[rows], return_inverse=True)
    asked = np.flatnonzero(np.bincount(codes)[codes] > 1)
    _, clusters = np.unique(pictures.identities[rows], return_inverse=True)
    gallery = embeddings[rows]
    shortlists = [_shortlist(gallery, codes, row) for row in asked.tolist()]
    plain = np.array([shortlist.codes[0] for shortlist in shortlists]) == codes[asked]
    result: dict[str, Any] = {"pictures": len(rows), "queries": len(asked), "plain_rank1": float(plain.mean())}
    for name in options.rungs:
        rung = open_rung(name, encoder, lambda row: pictures.paths[rows[row]])
        chosen = np.arange(len(asked))
        if name in OF_PICTURES and options.patch_queries < len(asked):
            chosen = np.sort(np.random.default_rng(options.seed).choice(chosen, options.patch_queries, replace=False))
        outcomes = [
            ask(rung, shortlists[n], pictures.paths[rows[asked[n]]], codes[asked[n]], budget_ms=options.rerank_ms)
            for n in chosen.tolist()
        ]
        result[name] = asdict(figures_of(outcomes, plain[chosen], clusters[asked[chosen]]))
        print(name, result[name], file=sys.stderr, flush=True)
    return result


def _shortlist(gallery: Embeddings, codes: NDArray[np.int64], row: int) -> Shortlist:
    scores, found = (each[0] for each in top_k(gallery[row : row + 1], gallery, k=SHORTLIST + 1))
    kept = np.flatnonzero(found != row)[:SHORTLIST]
    return Shortlist(gallery[row], found[kept], scores[kept], codes[found[kept]], gallery[found[kept]])


if __name__ == "__main__":
    main()
