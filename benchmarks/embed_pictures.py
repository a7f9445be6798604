"""Embeddings of a rendered set's pictures, for `quantisers.py --embeddings`.

Writes a Parquet file as `nearid-search gallery export` does: `identity`, `path` and `embedding` of every view and every
distractor of one split, encoded as `nearid-search index` would. A distractor shows another thing than the view beside
it, so each is an identity of its own, which makes the gallery as hard as it can be.

    python benchmarks/embed_pictures.py identities --out embeddings.parquet
    python benchmarks/quantisers.py --embeddings embeddings.parquet
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet
from rich.console import Console
from rich.progress import track

from nearid_search.config import EncoderConfig
from nearid_search.encoder import open_encoder
from nearid_search.image_decoding import decode_image
from nearid_search.indexer.exchange.embeddings_file import MAKER_ENTRY
from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.datasets.open import open_dataset
from nearid_search.trainer.datasets.records import Dataset

BATCH = 32


def main() -> None:
    """Encode one split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path, help="as nearid-search train reads it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--backbone", default=EncoderConfig.backbone)
    parser.add_argument("--head", default=EncoderConfig.head, help="folder, auto or none (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="only the first so many identities")
    options = parser.parse_args()
    pictures = list(named_pictures(open_dataset(options.dataset), options.split, options.limit))
    encoder = open_encoder(EncoderConfig(backbone=options.backbone, head=options.head))
    schema = pa.schema(
        [("identity", pa.string()), ("path", pa.string()), ("embedding", pa.list_(pa.float32(), encoder.dim))],
        metadata={MAKER_ENTRY: encoder.fingerprint.encode()},
    )
    blocks = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
    with parquet.ParquetWriter(options.out, schema) as writer:
        for block in track(blocks, description="encoding", console=Console(stderr=True)):
            decoded = [decode_image(i.read_bytes(), name=i.name, min_side=encoder.min_side).pixels for _, i in block]
            vectors = encoder.encode(decoded)
            columns = [
                pa.array([identity for identity, _ in block]),
                pa.array([Path(image.name).name for _, image in block]),
                pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), encoder.dim),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))


def named_pictures(dataset: Dataset, split: str, limit: int | None = None) -> Iterator[tuple[str, ImageSource]]:
    """Yield every picture of a split with the identity it shows.

    Args:
        dataset: the set.
        split: which split.
        limit: only the first so many identities of it.
    """
    for sample in islice(dataset.split(split), limit):
        for view in sample.views:
            yield sample.identity, view.image
            for source, image in sorted(view.distractors.items()):
                yield f"{sample.identity}/{view.number}/{source}", image


if __name__ == "__main__":
    main()
