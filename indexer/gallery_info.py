"""What a gallery says of itself: contents, encoder, and what was found out about searching it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from nearid_search.indexer.calibration_file import describe_calibration
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.rerank_record import describe_rerank
from nearid_search.indexer.search.stored_index import describe_index


def describe_gallery(gallery: Gallery) -> dict[str, Any]:
    """Return what ``gallery info --json`` prints."""
    identities = gallery.identities()
    record = gallery.manifest.encoder
    return {
        "gallery": str(gallery.folder),
        "images": sum(identities.values()),
        "imported": gallery.store.num_imported(),
        "identities": len(identities),
        "failed": len(gallery.failures()),
        "encoder": record.fingerprint,
        "backbone": record.backbone,
        "dtype": record.dtype,
        "head": record.head,
        "foreground": record.foreground,
        "keeps_whole": record.keeps_whole,
        "dim": record.dim,
        "metadata": [field.name for field in gallery.store.metadata_fields],
        "catalogues": sorted(gallery.manifest.catalogues),
        "created_at": gallery.manifest.created_at,
        "version": gallery.store.version,
        "search": asdict(gallery.manifest.search),
        "index": describe_index(gallery.index_dir, gallery.rows()),
        "calibration": describe_calibration(gallery.folder, gallery.rows()),
        "rerank": describe_rerank(gallery.folder, gallery.rows()),
    }
