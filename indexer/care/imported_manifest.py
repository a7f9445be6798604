"""The manifest of a gallery of imported embeddings, made again from its tables, which say all of it.

Of a gallery of pictures they do not: which catalogues it describes and by which tables of identities, where masks are,
and what to open to encode as before, stand in the manifest alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from nearid_search import __version__
from nearid_search.errors import GalleryCorruptError
from nearid_search.indexer.care.set_aside import is_aside
from nearid_search.indexer.care.table_rows import ROWS_AT_ONCE, open_tables
from nearid_search.indexer.care.whole_tables import reading_tables, require_whole
from nearid_search.indexer.manifest import TABLES_NAME, EncoderRecord, Manifest
from nearid_search.indexer.schema import EMBEDDING, WHOLE_EMBEDDING


def imported_manifest(folder: Path) -> Manifest | None:
    """Describe a gallery anew, without what searching it may cost.

    Args:
        folder: its folder.

    Returns:
        What its manifest must have said; None if the tables do not tell: there are several folders of them, files were
        altered, there is a picture or the record of one, or the embeddings are of several makers or none.
    """
    found = [path for path in folder.glob(f"{TABLES_NAME}*") if path.is_dir() and not is_aside(path.name)]
    if len(found) != 1:
        return None
    (tables_dir,) = found
    makers = set[str]()
    try:
        with reading_tables(tables_dir):
            tables = open_tables(tables_dir)
            for name, table in tables.items():
                require_whole(tables_dir, name, int(table.version))
            if not {"images", "files"} <= tables.keys() or tables["files"].count_rows():
                return None
            for name in tables.keys() - {"files"}:
                if tables[name].count_rows("width IS NOT NULL"):
                    return None
                for batch in tables[name].search().select(["encoder"]).to_batches(ROWS_AT_ONCE):
                    makers.update(batch.column("encoder").to_pylist())
            schema = tables["images"].schema
    except GalleryCorruptError:
        return None
    if len(makers) != 1 or None in makers or WHOLE_EMBEDDING in schema.names:
        return None
    record = EncoderRecord(
        fingerprint=makers.pop(), backbone=None, dtype=None, dim=int(schema.field(EMBEDDING).type.list_size)
    )
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(encoder=record, created_at=created, made_by=__version__, tables=tables_dir.name)
