"""What does merging a gallery's data files save, and what does it cost?

Writes rows as indexing does (256 a data file; embedding, key, thumbnail-sized bytes) in a fresh process, times reading
every embedding before and after LanceDB merges the files, and reads how much the merge raised the peak memory, with
Lance's own setting and with one file read ahead at a time, which is how ``nearid-search`` runs it.

    python benchmarks/compaction.py --rows 40960
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from record import load_average, write_result

_PROGRAM = """
import json, os, resource, sys, tempfile, time
import lancedb, numpy as np, pyarrow as pa
rows, width, part = int(sys.argv[1]), 1152, 256
schema = pa.schema([("key", pa.string()), ("embedding", pa.list_(pa.float32(), width)), ("thumbnail", pa.binary())])
table = lancedb.connect(tempfile.mkdtemp()).create_table("images", schema=schema)
rng = np.random.default_rng(0)
for start in range(0, rows, part):
    keys = pa.array([f"{start + row:064}" for row in range(part)])
    embeddings = pa.FixedSizeListArray.from_arrays(pa.array(rng.standard_normal(part * width, np.float32)), width)
    table.add(pa.table([keys, embeddings, pa.array([rng.bytes(8000) for _ in range(part)])], schema=schema))
def scan():
    begun = time.perf_counter()
    found = sum(len(batch) for batch in table.search().select(["key", "embedding"]).to_batches())
    assert found == rows, found
    return round(time.perf_counter() - begun, 3)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def files():
    return table.stats()["fragment_stats"]["num_fragments"]
before = {"files": files(), "scan_seconds": sorted(scan() for _ in range(5))[2]}
memory, begun = peak(), time.perf_counter()
table.optimize()
merge = {"seconds": round(time.perf_counter() - begun, 3), "peak_rises_by_mib": round(peak() - memory, 1)}
after = {"files": files(), "scan_seconds": sorted(scan() for _ in range(5))[2]}
print(json.dumps({"before": before, "merge": merge, "after": after}))
"""


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=40_960, help="a multiple of 256")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    load_before = load_average()
    measured: dict[str, Any] = {"rows": options.rows}
    for name, setting in {"lance_default": {}, "one_file_ahead": {"LANCE_DEFAULT_FRAGMENT_READAHEAD": "1"}}.items():
        command = [sys.executable, "-c", _PROGRAM, str(options.rows)]
        measured[name] = [
            json.loads(subprocess.run(command, check=True, capture_output=True, env=os.environ | setting).stdout)
            for _ in range(options.repeats)
        ]
    write_result("compaction", measured, load_before=load_before)


if __name__ == "__main__":
    main()
