"""The index inside the images table: made, brought up to date and taken away; LanceDB keeps it consistent itself."""

from __future__ import annotations

from typing import NamedTuple

from nearid_search.indexer.search.index_recipe import num_clusters
from nearid_search.indexer.store import GalleryStore

MIN_LANCE_ROWS = 256
"""Rows below which LanceDB trains no such index."""

_INDEX_NAME = "embedding_idx"
_GROWN = 2  # times the rows in it


class LanceIndexState(NamedTuple):
    """What LanceDB says of the index: rows in it, rows beside it, and its bytes."""

    covered: int
    waiting: int
    num_bytes: int


def lance_index_state(store: GalleryStore) -> LanceIndexState | None:
    """Describe the index, or return None if there is none."""
    for index in store.images.list_indices():
        if index.name == _INDEX_NAME:
            return LanceIndexState(
                int(index.num_indexed_rows), int(index.num_unindexed_rows), int(index.size_bytes or 0)
            )
    return None


def ensure_lance_index(store: GalleryStore) -> str:
    """Make the index, or add what it lacks; the caller holds the gallery's writer lock.

    Returns:
        "built", "extended", "kept", or "none" where there are too few rows for one.
    """
    state = lance_index_state(store)
    count = store.num_images()
    if count < MIN_LANCE_ROWS:
        return "none"
    if state is not None and not state.waiting:
        return "kept"
    if state is not None and count <= _GROWN * state.covered:
        store.images.optimize()
        return "extended"
    from lancedb.index import IvfRq

    config = IvfRq(distance_type="dot", num_partitions=num_clusters(count))
    store.images.create_index(store.column, config=config, name=_INDEX_NAME, replace=True)
    return "built"


def drop_lance_index(store: GalleryStore) -> bool:
    """Take the index away; say whether there was one."""
    present = lance_index_state(store) is not None
    if present:
        store.images.drop_index(_INDEX_NAME)
    return present
