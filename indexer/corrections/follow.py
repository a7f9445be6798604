"""Make the tables say what the log of corrections says; doing it twice changes nothing, so a crash is mended by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nearid_search.indexer.corrections.log import CorrectionLog, Entry
from nearid_search.indexer.corrections.state import Corrections
from nearid_search.indexer.image_rows import change_rows, delete_rows, move_rows
from nearid_search.indexer.rows import FileRecord
from nearid_search.indexer.schema import CATALOGUE_IDENTITY
from nearid_search.indexer.sql import any_of, chunks
from nearid_search.indexer.store import GalleryStore

if TYPE_CHECKING:
    from nearid_search.indexer.gallery import Gallery

_KEYS_AT_ONCE = 2_000


def finish_pending(gallery: Gallery) -> None:
    """End what a crash left half done: follow the last correction, or forget a picture that was to come in.

    Everything that writes to a gallery begins with this.

    Args:
        gallery: the gallery; the caller holds its writer lock.

    Raises:
        GalleryCorruptError: if the log is damaged.
    """
    log = CorrectionLog(gallery.folder)
    if log.pending is not None:
        follow_corrections(gallery, log)
    if gallery.store.hidden_keys():
        _forget_staged(gallery.store, Corrections.of(log.standing))


def follow_corrections(gallery: Gallery, log: CorrectionLog) -> int:
    """Make the tables follow the log, and note that they do.

    Args:
        gallery: the gallery; the caller holds its writer lock.
        log: its log.

    Returns:
        How many images have another identity now, came into the answers or left them.
    """
    if not log.entries:
        return 0
    store, pending = gallery.store, log.pending
    if pending is not None and pending.restores and pending.tables == gallery.manifest.tables:
        tables = store.tables
        for name in tables:
            store.require_whole(name, pending.restores[name])
        for name, table in tables.items():
            table.restore(pending.restores[name])
    store.ensure_correctable()
    taken_back = None if pending is None else _taken_back(log, pending)
    if taken_back is not None:
        _remove_image_of(taken_back, store)
    changed = _follow_identities(store, Corrections.of(log.standing))
    if pending is not None:
        # After the images, as everywhere: with a version of those goes the ledger until they change again.
        if pending.added is not None:
            store.record_files([pending.added], known=[pending.added.path])
        if taken_back is not None:
            store.forget_files([taken_back.path])
        log.mark_done(pending.number, table_versions(store))
    return changed


def table_versions(store: GalleryStore) -> dict[str, int]:
    """Return the version of each table by name."""
    return {name: int(table.version) for name, table in store.tables.items()}


def _taken_back(log: CorrectionLog, pending: Entry) -> FileRecord | None:
    """Return the file that came in with the confirmation that an entry undoes, if it undoes one."""
    return next((entry.added for entry in log.entries if entry.number == pending.undoes), None)


def _remove_image_of(file: FileRecord, store: GalleryStore) -> None:
    """Take an image out of the tables, unless it has another file."""
    if file.key is None:
        return
    found = store.tables["files"].search().where(any_of("key", [file.key])).select(["path"]).to_arrow()
    if set(found.column("path").to_pylist()) <= {file.path}:
        store.remove_images([file.key])
        delete_rows(store.hidden, [file.key])


def _follow_identities(store: GalleryStore, corrections: Corrections) -> int:
    renamed: list[dict[str, Any]] = []
    hidden: list[str] = []
    for key, path, identity, said in _labels(store.images):
        wanted = corrections.identity_of(key, said, path)
        if wanted is None:
            hidden.append(key)
        elif wanted != identity:
            renamed.append({"key": key, "identity": wanted})
    store.relabel(renamed)
    shown = _show(store, corrections)
    move_rows(store.images, store.hidden, hidden)
    return len(renamed) + shown + len(hidden)


def _show(store: GalleryStore, corrections: Corrections) -> int:
    """Bring hidden images back that nothing keeps hidden."""
    _forget_staged(store, corrections)
    wanted = {
        key: identity
        for key, path, _, said in _labels(store.hidden)
        if (identity := corrections.identity_of(key, said, path)) is not None
    }
    change_rows(store.hidden, [{"key": key, "identity": identity} for key, identity in wanted.items()])
    move_rows(store.hidden, store.images, list(wanted))
    return len(wanted)


def _forget_staged(store: GalleryStore, corrections: Corrections) -> None:
    """Drop a picture that was to come in by a confirmation whose entry was never written."""
    unsaid = [key for key, *_ in _labels(store.hidden) if key not in corrections.pins]
    staged = set(unsaid) - _with_files(store, unsaid) - _imported(store.hidden, unsaid)
    delete_rows(store.hidden, sorted(staged))


def _labels(table: Any) -> list[tuple[str, str | None, str | None, str | None]]:  # noqa: ANN401  (LanceDB's class)
    columns = ["key", "path", "identity", CATALOGUE_IDENTITY]
    found = table.search().select(columns).to_arrow()
    return list(zip(*(found.column(name).to_pylist() for name in columns), strict=True))


def _with_files(store: GalleryStore, keys: list[str]) -> set[str]:
    """Return which of some images the ledger has a file of."""
    files = store.tables["files"]
    return {key for chunk in chunks(keys, _KEYS_AT_ONCE) for key in _column(files, any_of("key", chunk))}


def _imported(table: Any, keys: list[str]) -> set[str]:  # noqa: ANN401  (LanceDB's class)
    conditions = (f"width IS NULL AND {any_of('key', chunk)}" for chunk in chunks(keys, _KEYS_AT_ONCE))
    return {key for condition in conditions for key in _column(table, condition)}


def _column(table: Any, condition: str) -> list[str]:  # noqa: ANN401  (LanceDB's class)
    found: list[str] = table.search().where(condition).select(["key"]).to_arrow().column("key").to_pylist()
    return found
