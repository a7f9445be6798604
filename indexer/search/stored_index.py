"""Search a gallery through its stored index, or say why it is searched without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nearid_search.errors import IndexUnusableError, MissingExtraError
from nearid_search.indexer.search.approximate import ApproximateBackend
from nearid_search.indexer.search.backend import LANCE, VectorBackend, check_backend, make_backend
from nearid_search.indexer.search.checked_vectors import CheckedVectors
from nearid_search.indexer.search.index_file import StoredIndex, open_index
from nearid_search.indexer.search.index_recipe import RECIPES
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.indexer.search.kept_rows import use_kept_rows
from nearid_search.indexer.search.lance_backend import LanceBackend
from nearid_search.indexer.search.lance_index import lance_index_state

_MUCH = 0.1  # share of the rows beside the index from which on a search is noticeably slower

OnWarning = Callable[[str], None]


def open_backend(
    name: str, index_dir: Path, rows: GalleryRows, *, on_warning: OnWarning, device: str = "auto"
) -> VectorBackend:
    """Open what searches a gallery.

    Args:
        name: one of ``BACKENDS``. "auto" takes the stored index if there is one, or the one inside the table; the name
            of an index takes the stored one if it is of that kind, else builds it in memory.
        index_dir: folder of the stored index, whether or not it exists.
        rows: the gallery's rows now.
        on_warning: told in one line of a stored index that cannot be used, and of one that covers little.
        device: where "faiss-gpu" searches.

    Raises:
        ConfigError: if the name is unknown.
        DeviceUnavailableError: if a GPU is asked for and FAISS finds none.
        MissingExtraError: if a backend asked for by name is not installed.
    """
    if check_backend(name) == LANCE or (name == "auto" and not index_dir.exists() and lance_index_state(rows.store)):
        return LanceBackend(rows)
    if name != "auto" and name not in RECIPES:
        use_kept_rows(index_dir, rows, on_warning=on_warning)
        return make_backend(name, rows.vectors, device=device)
    try:
        stored = open_index(index_dir, rows)
    except (IndexUnusableError, MissingExtraError) as error:
        if name != "auto" and isinstance(error, MissingExtraError):
            raise
        on_warning(f"{error}; {_instead(name)}: index again to make it anew")
        stored = None
    if stored is None:
        use_kept_rows(index_dir, rows, on_warning=on_warning)
        return make_backend(name, rows.vectors)
    if name not in ("auto", stored.manifest.recipe):
        on_warning(f"the stored index is {stored.manifest.recipe}, not {name}; {_instead(name)}")
        return make_backend(name, rows.vectors)
    beside = len(stored.waiting(len(rows)))
    if beside > _MUCH * len(rows):
        on_warning(
            f"{beside:,} of {len(rows):,} images are not in the search index and are scanned: index again to add them"
        )
    vectors = rows.vectors_on_demand
    if isinstance(vectors, CheckedVectors):
        vectors.on_damage = on_warning
    return ApproximateBackend(vectors, stored.ann, settings=stored.manifest.settings, row_of=stored.row_of)


def describe_index(index_dir: Path, rows: GalleryRows) -> dict[str, Any] | None:
    """Say what is known of a stored index; None if there is none.

    Args:
        index_dir: its folder.
        rows: the gallery's rows now.

    Returns:
        ``state`` is "fresh" if it covers exactly the gallery's images, "stale" if some are waiting or gone, and
        "unusable" with a ``reason`` if it is damaged, another gallery's, or cannot be opened here.
    """
    try:
        stored = open_index(index_dir, rows)
    except (IndexUnusableError, MissingExtraError) as error:
        return {"state": "unusable", "reason": str(error)}
    if stored is not None:
        return _described(stored, len(rows))
    state = lance_index_state(rows.store)
    if state is None:
        return None
    return {
        "state": "stale" if state.waiting else "fresh",
        "backend": LANCE,
        "covered": state.covered,
        "waiting": state.waiting,
        "bytes": state.num_bytes,
        "lance_version": rows.lance_version,
        "tuning": None,
    }


def _described(stored: StoredIndex, num_rows: int) -> dict[str, Any]:
    manifest = stored.manifest
    waiting, dead = len(stored.waiting(num_rows)), int((stored.row_of < 0).sum())
    return {
        "state": "stale" if waiting or dead else "fresh",
        "backend": manifest.recipe,
        "factory": manifest.factory,
        "settings": RECIPES[manifest.recipe].settings_in_words(manifest.settings),
        "covered": num_rows - waiting,
        "waiting": waiting,
        "dead": dead,
        "bytes": manifest.num_bytes,
        "lance_version": manifest.lance_version,
        "created_at": manifest.created_at,
        "tuning": None if manifest.tuning is None else asdict(manifest.tuning),
    }


def _instead(name: str) -> str:
    return "every vector is scanned instead" if name == "auto" else f"{name} is built in memory instead"
