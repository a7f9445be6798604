"""Take staged batches into the images table, in one version of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nearid_search.indexer.cluster.staging import TABLE, StagedBatch


def choose_rows(
    batches: Sequence[StagedBatch], order: Mapping[str, int], wanted: set[str]
) -> list[tuple[StagedBatch, list[int]]]:
    """Say which rows of which batch are taken: of each new key the one whose picture comes first in the catalogue.

    Args:
        batches: what is staged.
        order: place of every picture that this run reads, by stored path; one that is gone by now comes last.
        wanted: keys that the gallery lacks and this run's pictures have; rows of others are left out.

    Returns:
        Each batch with the numbers of its rows that are taken, ascending; those without any are left out.
    """
    first: dict[str, tuple[int, int, int]] = {}
    for number, batch in enumerate(batches):
        for row, (key, path) in enumerate(batch.rows):
            if key in wanted:
                place = (order.get(path, len(order)), number, row)
                first[key] = min(first.get(key, place), place)
    taken: dict[int, list[int]] = {}
    for _, number, row in first.values():
        taken.setdefault(number, []).append(row)
    return [(batches[number], sorted(rows)) for number, rows in sorted(taken.items())]


def commit_rows(tables: Path, chosen: Sequence[tuple[StagedBatch, list[int]]]) -> None:
    """Append the chosen rows; a fragment whose rows are all taken is not touched, another is written anew.

    Args:
        tables: folder of the gallery's tables; the caller holds its writer lock.
        chosen: what ``choose_rows`` said.
    """
    import lance
    from lance.fragment import FragmentMetadata

    if not chosen:
        return
    table = tables / TABLE
    fragments = []
    for batch, rows in chosen:
        assert batch.fragment is not None  # noqa: S101  (it has rows)
        fragment = FragmentMetadata.from_json(json.dumps(batch.fragment))
        fragments.append(fragment if len(rows) == len(batch.rows) else _without_others(table, batch.fragment, rows))
    version = lance.dataset(str(table)).version
    lance.LanceDataset.commit(str(table), lance.LanceOperation.Append(fragments), read_version=version)


def _without_others(table: Path, fragment: dict[str, Any], rows: list[int]) -> Any:  # noqa: ANN401  (Lance's class)
    """Write some rows of a fragment as another one."""
    import lance
    from lance.file import LanceFileReader
    from lance.fragment import write_fragments

    (file,) = fragment["files"]
    found = LanceFileReader(str(table / "data" / file["path"])).read_all().to_table()
    schema = lance.dataset(str(table)).schema
    (written,) = write_fragments(found.take(rows).cast(schema), str(table), schema=schema, mode="append")
    return written
