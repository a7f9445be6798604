"""Whether a gallery's search index is what was written, and was made from what the tables hold."""

from __future__ import annotations

from collections.abc import Iterator

from nearid_search.errors import GalleryCorruptError, IndexUnusableError, MissingExtraError
from nearid_search.indexer.care.findings import Finding, Part
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.checked_vectors import CheckedVectors
from nearid_search.indexer.search.index_file import check_files, open_index
from nearid_search.indexer.search.index_manifest import INDEX_DIRNAME, read_index_manifest
from nearid_search.indexer.search.index_rows import row_digests

_MENDED = "made anew from the tables"


def check_index(gallery: Gallery, *, rows: bool) -> Iterator[Finding]:
    """Look at the files of the search index.

    Args:
        gallery: the gallery.
        rows: also compare the vectors it keeps with those in the tables.
    """
    try:
        manifest = read_index_manifest(gallery.index_dir)
        if manifest is None:
            if gallery.index_dir.exists():
                # A process that was killed leaves it so, and answers do without.
                what = "was never finished: it has no index.json"
                yield Finding(Part.INDEX, INDEX_DIRNAME, what, "left to the next `index`", damage=False)
            return
        check_files(gallery.index_dir, manifest)
        kept = gallery.rows()
        stored = open_index(gallery.index_dir, kept)
        vectors = kept.vectors_on_demand
        if rows and stored is not None and isinstance(vectors, CheckedVectors):
            held = row_digests(vectors.having())
            if (row_digests(gallery.store.embeddings(kept.keys)) != held).any():
                what = "holds other vectors than the search index, which is whole"
                again = "rows that differ are taken from the search index"
                yield Finding(Part.TABLES, f"{gallery.manifest.tables}/images.lance", what, again)
    except MissingExtraError as error:
        yield Finding(Part.INDEX, INDEX_DIRNAME, f"cannot be looked at: {error}", "left alone", damage=False)
    except (IndexUnusableError, OSError) as error:
        yield Finding(Part.INDEX, INDEX_DIRNAME, str(error).replace(f"{gallery.index_dir}/", ""), _MENDED)
    except GalleryCorruptError:
        return  # the tables, which have findings of their own
