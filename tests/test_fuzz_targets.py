"""What the fuzzer feeds, with its seeds and seeded damage instead of the fuzzer: every end is one of ours."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from fuzz_targets import TARGETS
from picture_damage import MUTATIONS
from pyarrow import parquet

from nearid_search.errors import EmbeddingsError, IndexUnusableError
from nearid_search.indexer.exchange.embeddings_file import EmbeddingsFile
from nearid_search.indexer.search.index_manifest import INDEX_MANIFEST, read_index_manifest
from nearid_search.sealed_json import seal


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_seeds_and_damage_raise_errors_of_ours_only(name: str) -> None:
    target, rng = TARGETS[name], random.Random(name)  # noqa: S311  (repeatable, not secret)
    seeds = target.seeds()
    for seed in seeds:
        target.feed(seed)
    long = [seed for seed in seeds if len(seed) > 30]
    for number in range(40 if long else 0):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        target.feed(mutation(rng.choice(long), rng, seeds))


def test_a_parquet_file_whose_first_page_is_damaged_is_named(tmp_path: Path) -> None:
    """Found by fuzzing: the width of lists of no fixed size is looked up before the first batch."""
    path = tmp_path / "embeddings.parquet"
    columns = {"embedding": pa.array([[1.0, 0.0]], pa.list_(pa.float32())), "identity": ["a"]}
    parquet.write_table(pa.table(columns), path, compression="none", use_dictionary=False)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 16 + content[20:])
    with pytest.raises(EmbeddingsError, match="cannot be read as Parquet"):
        EmbeddingsFile(path)


def test_a_search_index_that_names_a_file_otherwise_is_unusable(tmp_path: Path) -> None:
    """Found by fuzzing."""
    document = json.loads(TARGETS["index"].seeds()[0])
    del document["sha256"], document["files"]["rows"]["sha256"]
    (tmp_path / INDEX_MANIFEST).write_bytes(seal(document))
    with pytest.raises(IndexUnusableError, match="describes no index that this version knows"):
        read_index_manifest(tmp_path)


def test_a_parquet_table_that_claims_billions_of_rows_gets_no_memory_for_them() -> None:
    """Found by fuzzing: a row group of two rows that says it has 86,815,733,375."""
    finding = Path(__file__).parent / "fuzz_findings" / "labels-of-billions-of-rows.parquet"
    program = """
import resource, sys
from pathlib import Path
from nearid_search.errors import CatalogueError
from nearid_search.indexer.catalogue.labels import read_labels
resource.setrlimit(resource.RLIMIT_DATA, (2**32, 2**32))
try:
    read_labels(Path(sys.argv[1]))
except CatalogueError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(finding)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "has no column identity" in done.stdout
