"""Does an encoder know a product again on real shop shelves that it was never trained on?

Reads the packages of the Grocery Store dataset (Klasson et al., WACV 2019): a folder a product, photographs named by
their split and ``iconic.jpg``, a catalogue picture. The test photographs were taken in other shops than the rest.
Every test photograph is a query; the figure is the share whose nearest gallery picture is of the same product, with
a 95 % interval from resampling products. For validation only: nothing is trained on these pictures.

    python benchmarks/shop_photographs.py grocery_packages --head head
    python benchmarks/shop_photographs.py grocery_packages --backbone dinov2-small
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.intervals import bootstrap_interval
from nearid_search.similarity import Embeddings, top_k

QUERIES = "test_"
GALLERIES = {"shop to shop": "train_", "catalogue picture to shop": "iconic"}


def main() -> None:
    """Print one JSON line a gallery."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--head", help="folder of a trained head, or auto; by default the frozen readout")
    parser.add_argument("--backbone", help="by default the head's")
    options = parser.parse_args()
    encoder = IdentityEncoder.open(options.backbone, head=options.head)
    paths = sorted(options.folder.glob("*/*.jpg"))
    for line in rank(paths, encoder.encode(paths)):
        print(json.dumps({**line, "encoder": encoder.fingerprint}))


def rank(paths: Sequence[Path], embeddings: Embeddings) -> Iterator[dict[str, Any]]:
    """Ask every query of every gallery.

    Args:
        paths: of the photographs, in the folders of their products.
        embeddings: (len(paths), D) float32 unit rows.

    Yields:
        For each gallery, the share of queries whose nearest picture there is of the same product.
    """
    products = np.array([path.parent.name for path in paths])
    is_query = np.array([path.name.startswith(QUERIES) for path in paths])
    for name, prefix in GALLERIES.items():
        is_gallery = np.array([path.name.startswith(prefix) for path in paths])
        _, nearest = top_k(embeddings[is_query], embeddings[is_gallery], k=1)
        hits = products[is_gallery][nearest[:, 0]] == products[is_query]
        rank1 = bootstrap_interval(hits.astype(np.float64), products[is_query])
        yield {"question": name, "rank1": rank1.as_dict(), "gallery_images": int(is_gallery.sum())}


if __name__ == "__main__":
    main()
