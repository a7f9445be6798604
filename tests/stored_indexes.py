"""Galleries with a stored index, and whether they answer exactly."""

from embeddings import look_alikes

from nearid_search.config import AnnConfig
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.approximate import ApproximateBackend, ScanRule
from nearid_search.indexer.search.exact import ExactBackend
from nearid_search.indexer.search.index_file import open_index
from nearid_search.indexer.search.index_recipe import SearchSettings
from nearid_search.indexer.search.index_refresh import Refresh, refresh_index
from nearid_search.indexer.search.stored_index import open_backend
from nearid_search.similarity import Rows

NEVER_SCAN = ScanRule(rows=-1, share=float("inf"))
NUM_THINGS, VIEWS = 60, 5
COUNT = NUM_THINGS * VIEWS
VECTORS, CODES = look_alikes(3, 2 * NUM_THINGS, VIEWS)


def refresh(gallery: Gallery, name: str = "hnsw-sq8") -> Refresh:
    return refresh_index(gallery.index_dir, gallery.rows(), AnnConfig(backend=name))


def searched(
    gallery: Gallery, warnings: list[str] | None = None, name: str = "auto"
) -> tuple[ApproximateBackend, Rows]:
    """Open the stored index; the backend never scans all rows."""
    rows = gallery.rows()
    told: list[str] = []
    backend = open_backend(name, gallery.index_dir, rows, on_warning=told.append)
    if warnings is None:
        assert told == []
    else:
        warnings += told
    stored = open_index(gallery.index_dir, rows)
    assert stored is not None
    # Whether they come from the index's files or from the tables, they are what the tables hold.
    table = gallery.store.image_table(["path", "identity"])
    assert [rows.key(row) for row in range(len(rows))] == table.column("key").to_pylist()
    for column in ("path", "identity"):
        assert rows.labels.column(column).to_pylist() == table.column(column).to_pylist()
    assert rows.vectors.tobytes() == gallery.store.embeddings(rows.keys).tobytes()
    assert isinstance(backend, ApproximateBackend)
    far = SearchSettings(overfetch=8, ef_search=400, nprobe=400, k_factor=50)
    return ApproximateBackend(
        rows.vectors, stored.ann, settings=far, row_of=stored.row_of, scan=NEVER_SCAN
    ), stored.row_of


def assert_exact(gallery: Gallery, warnings: list[str] | None = None) -> Rows:
    """The ten nearest of forty rows are found, with their scores; return what the index covers."""
    backend, row_of = searched(gallery, warnings)
    queries = VECTORS[:40]
    scores, rows = backend.search(queries, k=10)
    exact_scores, exact_rows = ExactBackend(gallery.rows().vectors).search(queries, k=10)
    assert (rows.tolist(), scores.tolist()) == (exact_rows.tolist(), exact_scores.tolist())
    return row_of
