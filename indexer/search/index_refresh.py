"""Bring a gallery's search index in line with the gallery: keep it, add to it, make it anew or take it away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nearid_search.config import AUTO, AnnConfig
from nearid_search.errors import IndexUnusableError, MissingExtraError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.backend import GPU, LANCE, check_backend
from nearid_search.indexer.search.faiss_ann import AnnIndex, OnStep
from nearid_search.indexer.search.faiss_install import import_faiss
from nearid_search.indexer.search.index_file import (
    StoredIndex,
    check_files,
    check_origin,
    open_index,
    remove_index,
    save_index,
    sweep,
)
from nearid_search.indexer.search.index_manifest import read_index_manifest
from nearid_search.indexer.search.index_policy import Budget, Choice, choose_index
from nearid_search.indexer.search.index_recipe import RECIPES, SearchSettings
from nearid_search.indexer.search.index_rows import GalleryRows, row_digests
from nearid_search.indexer.search.lance_index import drop_lance_index, ensure_lance_index
from nearid_search.indexer.search.row_file import Positions

_DEAD_SHARE = 0.1
_APPEND_SHARE, _APPEND_ROWS = 0.01, 1_000
_GROWN = 2  # times the rows that clusters were trained for


OnChoice = Callable[[Choice], None]


@dataclass(frozen=True)
class Refresh:
    """What a refresh did.

    Attributes:
        backend: what the gallery is searched with now.
        reason: why that, in one line that goes on from the name.
        action: "none" (there is no index and none is needed), "kept", "extended", "built" or "removed".
    """

    backend: str
    reason: str
    action: str


def refresh_index(
    index_dir: Path,
    rows: GalleryRows,
    search: AnnConfig,
    *,
    on_choice: OnChoice | None = None,
    on_step: OnStep | None = None,
) -> Refresh:
    """Make sure the index that a gallery should have is there and covers it.

    A few added rows are left to be scanned: writing the whole index again would cost more. So are deletions, until a
    tenth of it is dead. An index of clusters is made anew when the gallery has doubled, because their number then no
    longer fits.

    Args:
        index_dir: the index's folder.
        rows: the gallery's rows; the caller holds its writer lock.
        search: what a search may cost, or which backend it is to use.
        on_choice: told what was chosen, before the work.
        on_step: told of every step of the work.

    Raises:
        ConfigError: if the backend is unknown.
        GalleryWriteError: if the index cannot be written.
        MissingExtraError: if an index is needed and FAISS is not installed.
    """
    on_step = on_step or (lambda _step, _done, _total: None)
    choice = _choose(rows, search)
    backend, reason = choice.backend, choice.reason
    if on_choice is not None:
        on_choice(choice)
    if backend not in RECIPES or not len(rows):
        there = index_dir.exists()
        remove_index(index_dir)
        if backend == LANCE:
            on_step("LanceDB", 0, 1)
            return Refresh(backend, reason, ensure_lance_index(rows.store))
        dropped = drop_lance_index(rows.store)
        return Refresh(backend, reason, "removed" if there or dropped else "none")
    drop_lance_index(rows.store)
    action = _keep(index_dir, rows, backend, on_step)
    if action is None:
        ann = AnnIndex.build(RECIPES[backend], rows.vectors, on_step=on_step)
        on_step("writing", 0, 1)
        save_index(index_dir, ann, rows, settings=_former_settings(index_dir, backend))
        action = "built"
    return Refresh(backend, reason, action)


def refresh_search(
    gallery: Gallery, search: AnnConfig, *, on_choice: OnChoice | None = None, on_step: OnStep | None = None
) -> Refresh:
    """Refresh a gallery's index and have the gallery remember what searching it may cost; see ``refresh_index``."""
    done = refresh_index(gallery.index_dir, gallery.rows(), search, on_choice=on_choice, on_step=on_step)
    gallery.remember_search(search)
    return done


def would_extend(waiting: int, covered: int) -> bool:
    """Say whether a refresh would add rows to an index rather than leave them to be scanned.

    Args:
        waiting: rows it lacks.
        covered: rows it has.
    """
    return waiting > 0 and waiting >= min(_APPEND_ROWS, _APPEND_SHARE * covered)


def require_backend(name: str | None) -> None:
    """Refuse a backend that could not be made, before any other work is done.

    Args:
        name: one of ``BACKENDS``, or None.

    Raises:
        ConfigError: if it is none of them.
        MissingExtraError: if it needs FAISS, which is not installed.
    """
    if name is not None and (check_backend(name) in RECIPES or name in ("faiss-flat", GPU)):
        import_faiss(f"the {name} backend")


def _choose(rows: GalleryRows, search: AnnConfig) -> Choice:
    backend = check_backend(search.backend or AUTO)
    if backend != AUTO:
        return Choice(backend, "because it was asked for")
    choice = choose_index(len(rows), rows.dim, Budget.of(search))
    if choice.backend in RECIPES:
        try:
            import_faiss("a search index")
        except MissingExtraError as error:
            return Choice("exact", f"although {choice.backend} would be better {choice.reason}: {error}")
    return choice


def _keep(index_dir: Path, rows: GalleryRows, backend: str, on_step: OnStep) -> str | None:
    """Return what was done to keep the index there is, or None if a new one is needed."""
    try:
        manifest = read_index_manifest(index_dir)
        if manifest is None or manifest.recipe != backend:
            return None
        sweep(index_dir, manifest)
        check_origin(manifest, rows)
        if rows.store.generation == manifest.generation != "":
            check_files(index_dir, manifest)  # a damaged one is mended here, as a warning to whoever queried has said
            return "kept"
        stored = open_index(index_dir, rows, mapped=False)
    except IndexUnusableError:
        return None  # making it anew is the remedy
    assert stored is not None  # noqa: S101  (it has a manifest)
    return _follow(index_dir, rows, stored, on_step)


def _former_settings(index_dir: Path, backend: str) -> SearchSettings:
    """Return how far the index to be replaced looks; what tuning measured was measured on it, and goes with it."""
    try:
        former = read_index_manifest(index_dir)
    except IndexUnusableError:
        former = None
    return former.settings if former is not None and former.recipe == backend else SearchSettings()


def _follow(index_dir: Path, rows: GalleryRows, stored: StoredIndex, on_step: OnStep) -> str | None:
    alive = stored.row_of >= 0
    waiting = stored.waiting(len(rows))
    if (~alive).sum() > _DEAD_SHARE * len(alive):
        return None
    if stored.ann.recipe.clustered and len(rows) > _GROWN * stored.ann.trained_rows:
        return None
    positions, kept = stored.positions, {}
    if not would_extend(len(waiting), len(alive)):
        waiting, kept = waiting[:0], {"vectors": stored.manifest.files["vectors"]}
    added = np.ascontiguousarray(rows.vectors[waiting])
    if len(added):
        stored.ann.add(added, on_step=on_step)
        # A key that is back with another embedding has two positions; the digest of the old one does not fit.
        positions = Positions(
            np.concatenate([positions.keys, rows.keys[waiting]]),
            np.concatenate([positions.digests, row_digests(added)]),
            np.concatenate([positions.row_of, waiting]),
        )
    # Rows are written again even if the index is not: opening is fast only where they are the gallery's.
    on_step("writing", 0, 1)
    save_index(
        index_dir,
        stored.ann,
        rows,
        settings=stored.manifest.settings,
        tuning=stored.manifest.tuning,
        positions=positions,
        unchanged=kept,
    )
    return "extended" if len(added) else "kept"
